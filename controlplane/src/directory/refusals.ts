// Room that a node refused to a session that was sent there: something is on it that no report has told of
// yet. It stays taken on the books for a moment, so that neither the session's next try nor another session
// goes there; a report that tells who is there comes first.
import type { Placed, Pool } from "../placement/index.ts";

/** Twice the time after which a refused caller tries again. */
export const refusedMs = 2_000;

const prefix = "refused ";

/** Room on the books that no session has: at most one per refused session, for `refusedMs`. */
export class Refusals {
  readonly #pool: Pool;
  /** The first to expire first. */
  readonly #held = new Map<string, { readonly placed: Placed; readonly expiresMs: number }>();

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** The session is off the books; nobody's quota pays for the room. */
  add({ request, kind, node, mask }: Placed, nowMs: number): void {
    const session = `${prefix}${request.session}`;
    this.drop(session);
    const placed: Placed = {
      request: { session, namespace: "", resources: request.resources },
      kind,
      node,
      mask,
    };
    this.#held.set(session, { placed, expiresMs: nowMs + refusedMs });
    this.#pool.book(placed);
  }

  expire(nowMs: number): void {
    for (const [session, { expiresMs }] of this.#held) {
      if (expiresMs > nowMs) return;
      this.drop(session);
    }
  }

  /** Whether the session was one of these; it is off the books then. */
  drop(session: string): boolean {
    const known = this.#held.get(session);
    if (known === undefined) return false;
    this.#held.delete(session);
    this.#pool.unbook(known.placed);
    return true;
  }

  dropOn(node: number): void {
    for (const [session, { placed }] of this.#held) if (placed.node === node) this.drop(session);
  }
}
