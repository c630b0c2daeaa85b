// Sessions that handlers name, as in `ctx.send(news, "eu")`: without a call of their handlers the name does
// nothing, and no type shows it.
import { type NameFunction, nameShown, wayOf } from "voda/definition";
import { framesOf, type Site, siteOf } from "./failed-ask.ts";
import { describeThrown } from "./thrown.ts";

interface Named {
  readonly of: Parameters<NameFunction>;
  readonly site: Site | undefined;
}

/**
 * Those that a turn has named and called nothing of. By group, which is handler, function and agent: of each
 * the first one that is open, for a loop may name as many as it likes.
 */
export type TurnNames = Map<string, Named>;

/** For the log. */
interface Uncalled {
  readonly message: string;
  readonly at?: string;
}

const nothing = (): void => undefined;

/** Of one activation. */
export class NamedSessions {
  /** By group. Where one was called, the places of others are not kept: each costs microseconds. */
  readonly #known = new Map<string, "called" | "told">();

  /** Returns what is called with each call of it. */
  open(turn: TurnNames, method: string, of: Parameters<NameFunction>): () => void {
    const [what, agent] = of;
    const group = `${method} ${what} ${nameShown(agent)}`;
    const known = this.#known.get(group);
    if (known === "told" || turn.has(group)) return nothing;
    const named: Named = { of, site: known === undefined ? siteOf() : undefined };
    turn.set(group, named);
    return () => {
      if (turn.get(group) !== named) return;
      turn.delete(group);
      if (known === undefined) this.#known.set(group, "called");
    };
  }

  /** Of each group once, as long as the session is in memory. */
  *uncalled(turn: TurnNames): Iterable<Uncalled> {
    for (const [group, { of, site }] of turn) {
      if (this.#known.get(group) === "told") continue;
      this.#known.set(group, "told");
      const way = wayOf(...of);
      const message = `${way} does nothing: no handler of it was called, as in ${way}.method(...)`;
      const at = site && placeOf(site);
      yield { message, ...(at !== undefined && { at }) };
    }
  }
}

function placeOf(site: Site): string | undefined {
  const error = new Error("named");
  error.stack = ["Error", ...framesOf(site)].join("\n");
  return describeThrown(error).at;
}
