// Who waits for whom: what turns of this node ask of sessions that would have to run a turn for it. It tells
// whether an ask would close a circle, in which nobody ends before its time.
import type { SessionName, SessionToken } from "@voda/proto/session";
import type { Hosted } from "./hosted.ts";

/** What a turn here has asked and waits for; not of readers, which begin at once. */
export interface AskWait {
  readonly by: Hosted;
  /** The call whose turn asks. */
  readonly turn: number;
  readonly target: { readonly name: SessionName; readonly token: SessionToken };
  /** Number of the ask in this process. */
  readonly call: number;
}

/** Waits that are looked at for one ask; a circle beyond them ends by its time. */
export const waitsLookedAtMax = 1_024;
/** Sessions that ask, of which it is remembered where no circle is. */
const askersMax = 16;

/** A session that was reached, and the one before it on the way. */
interface Reached {
  readonly token: SessionToken;
  readonly name: SessionName | undefined;
  readonly before: Reached | undefined;
}

export class Waits {
  readonly #bySession = new Map<SessionToken, Set<AskWait>>();
  readonly #hostedOf: (token: SessionToken) => Hosted | undefined;
  /**
   * By the session that asks: those that do not wait for it. A turn asks many that wait for the same;
   * these are looked at once.
   */
  readonly #apart = new Map<SessionToken, Set<SessionToken>>();

  constructor(hostedOf: (token: SessionToken) => Hosted | undefined) {
    this.#hostedOf = hostedOf;
  }

  add(wait: AskWait): void {
    const { token } = wait.by;
    const waits = this.#bySession.get(token) ?? new Set();
    this.#bySession.set(token, waits.add(wait));
    // a wait leads on from where no circle was: perhaps there is one now
    for (const [asker, apart] of this.#apart)
      if (apart.has(token) && !apart.has(wait.target.token)) this.#apart.delete(asker);
  }

  delete(wait: AskWait): void {
    const { token } = wait.by;
    const waits = this.#bySession.get(token);
    if (waits?.delete(wait) !== true || waits.size > 0) return;
    this.#bySession.delete(token);
    this.#apart.delete(token);
  }

  /** The sessions from `from` to `to`, each of which waits for the next, as far as this node can tell. */
  path(from: SessionToken, to: SessionToken): readonly string[] | undefined {
    const apart = this.#apartFrom(to);
    if (apart.has(from)) return undefined;
    apart.add(from);
    const reached: Reached[] = [{ token: from, name: undefined, before: undefined }];
    let left = waitsLookedAtMax;
    // it grows while it is walked: the shortest way is found first
    for (const before of reached)
      for (const wait of this.#bySession.get(before.token) ?? []) {
        const { token, name } = wait.target;
        left -= 1;
        if (left < 0) return undefined;
        if (apart.has(token) || !this.#isNeeded(wait)) continue;
        if (token === to) {
          this.#apart.delete(to);
          return wayOf({ token, name, before });
        }
        apart.add(token);
        reached.push({ token, name, before });
      }
    return undefined;
  }

  #apartFrom(to: SessionToken): Set<SessionToken> {
    const apart = this.#apart.get(to) ?? new Set();
    if (!this.#apart.has(to) && this.#apart.size === askersMax) this.#apart.clear();
    this.#apart.set(to, apart);
    return apart;
  }

  /** For whom the session waits, and so on, in words; of several the first. */
  wordsOf({ token, name }: Hosted): string | undefined {
    const names = [textOf(name)];
    const seen = new Set<SessionToken>();
    for (let at: SessionToken | undefined = token; at !== undefined && !seen.has(at); ) {
      seen.add(at);
      const first = this.#first(at);
      if (first !== undefined) names.push(textOf(first.target.name));
      at = first?.target.token;
    }
    return names.length === 1 ? undefined : names.join(" -> ");
  }

  #first(token: SessionToken): AskWait | undefined {
    for (const wait of this.#bySession.get(token) ?? []) if (this.#isNeeded(wait)) return wait;
    return undefined;
  }

  /** Its turn still runs, and what it asked has not had its own: only then somebody waits for it. */
  #isNeeded({ by, turn, target, call }: AskWait): boolean {
    const isAsking = by.lane.activation?.turns.jobs.get(turn)?.stage === "running";
    return isAsking && this.#hostedOf(target.token)?.lane.calls.get(call)?.stage !== "executed";
  }
}

function wayOf(last: Reached): readonly string[] {
  const names: string[] = [];
  for (let at: Reached | undefined = last; at?.name !== undefined; at = at.before)
    names.unshift(textOf(at.name));
  return names;
}

const textOf = ({ agent, key }: SessionName): string => `${agent}/${key}`;
