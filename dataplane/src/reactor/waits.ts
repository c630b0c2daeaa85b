// Who waits for whom: what turns of this node ask of sessions that would have to run a turn for it. It tells
// whether an ask would close a circle, in which nobody ends before its time.
import type { SessionName, SessionToken } from "@voda/proto/session";
import type { Hosted } from "./hosted.ts";

/** What a turn here has asked and waits for; not of readers, which begin at once. */
export interface Wait {
  readonly by: Hosted;
  /** The call whose turn asks. */
  readonly turn: number;
  readonly target: { readonly name: SessionName; readonly token: SessionToken };
  /** Number of the ask in this process. */
  readonly call: number;
}

/** Sessions that are looked at for one ask; a circle beyond them ends by its time. */
export const waitsLookedAtMax = 1_024;

export class Waits {
  readonly #bySession = new Map<SessionToken, Set<Wait>>();
  readonly #hostedOf: (token: SessionToken) => Hosted | undefined;

  constructor(hostedOf: (token: SessionToken) => Hosted | undefined) {
    this.#hostedOf = hostedOf;
  }

  add(wait: Wait): void {
    const { token } = wait.by;
    const waits = this.#bySession.get(token) ?? new Set();
    this.#bySession.set(token, waits.add(wait));
  }

  delete(wait: Wait): void {
    const { token } = wait.by;
    const waits = this.#bySession.get(token);
    if (waits?.delete(wait) === true && waits.size === 0) this.#bySession.delete(token);
  }

  /** The sessions from `from` to `to`, each of which waits for the next, as far as this node can tell. */
  path(from: SessionToken, to: SessionToken): readonly string[] | undefined {
    const seen = new Set([from]);
    let paths: { readonly token: SessionToken; readonly names: readonly string[] }[] = [
      { token: from, names: [] },
    ];
    while (paths.length > 0 && seen.size <= waitsLookedAtMax) {
      const next: typeof paths = [];
      for (const { token, names } of paths)
        for (const { target } of this.#of(token)) {
          const longer = [...names, textOf(target.name)];
          if (target.token === to) return longer;
          if (!seen.has(target.token)) next.push({ token: target.token, names: longer });
          seen.add(target.token);
        }
      paths = next;
    }
    return undefined;
  }

  /** For whom the session waits, and so on, in words; of several the first. */
  wordsOf({ token, name }: Hosted): string | undefined {
    const names = [textOf(name)];
    const seen = new Set<SessionToken>();
    for (let at: SessionToken | undefined = token; at !== undefined && !seen.has(at); ) {
      seen.add(at);
      const [first] = this.#of(at);
      if (first !== undefined) names.push(textOf(first.target.name));
      at = first?.target.token;
    }
    return names.length === 1 ? undefined : names.join(" -> ");
  }

  /** Asks whose turn still runs, and which have not had theirs: only for those somebody waits. */
  *#of(token: SessionToken): Iterable<Wait> {
    for (const wait of this.#bySession.get(token) ?? []) {
      const isAsking = wait.by.lane.activation?.turns.jobs.get(wait.turn)?.stage === "running";
      const work = this.#hostedOf(wait.target.token)?.lane.calls.get(wait.call);
      if (isAsking && work?.stage !== "executed") yield wait;
    }
  }
}

const textOf = ({ agent, key }: SessionName): string => `${agent}/${key}`;
