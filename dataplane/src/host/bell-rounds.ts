// Sessions that have sent what is not delivered, or whose timers are due, and that no living node has in
// memory, are woken for it.
import { type SessionToken, shardOf } from "@voda/proto/session";
import type { Standing } from "../lane/index.ts";
import type { Bell, Bells } from "../store/index.ts";
import type { Inbox } from "./inbox.ts";

export interface BellRoundsOptions {
  readonly bells: Bells;
  readonly inbox: Pick<Inbox, "order">;
  readonly incarnation: () => string;
  readonly standing: (incarnation: string) => Standing;
  /** Whether the session is in memory here. */
  readonly isHere: (token: SessionToken) => boolean;
  /** Which of the living nodes this one is, and how many they are; `undefined` when it is none. */
  readonly rank: () => { readonly index: number; readonly count: number } | undefined;
  readonly isConnected: () => boolean;
  readonly monotonicMs: () => number;
  /** By the store's clock. */
  readonly storeMs: () => number;
  readonly failed: (error: unknown) => void;
}

/** Between two looks at the bells. */
export const bellsEveryMs = 2_000;
/** A session that delivers for longer is asked again. */
const deliverMsMax = 30_000;
/** Sessions that are woken at the same time. */
const atOnceMax = 64;

/** A round that takes longer than the pause leaves out the next one. */
export function openBellRounds(options: BellRoundsOptions): AsyncDisposable {
  const wakes = new Wakes(options);
  let count = 0;
  let round: Promise<void> | undefined;
  const work = (): void => {
    if (round !== undefined || !options.isConnected()) return;
    count += 1;
    // the store did not answer: the next round has it all again
    round = look(options, wakes, count)
      .catch((error: unknown) => options.failed(error))
      .finally(() => {
        round = undefined;
      });
  };
  const ticking = setInterval(work, bellsEveryMs);
  work();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(ticking);
      wakes.close();
      await round;
    },
  };
}

async function look(options: BellRoundsOptions, wakes: Wakes, round: number): Promise<void> {
  for await (const bell of options.bells.all()) {
    const inMs = bell.dueMs - options.storeMs();
    // two rounds ahead: the next one may take its time. Who slept since has another bell by then.
    if (inMs <= 2 * bellsEveryMs && isMine(options, bell, round)) wakes.add(bell, Math.max(0, inMs));
  }
}

/** Sessions that are to be woken, each when its bell is due. */
class Wakes {
  readonly #options: BellRoundsOptions;
  /** By session; until it is woken. */
  readonly #known = new Map<SessionToken, NodeJS.Timeout | undefined>();
  readonly #due: Bell[] = [];
  #running = 0;

  constructor(options: BellRoundsOptions) {
    this.#options = options;
  }

  add(bell: Bell, inMs: number): void {
    const { token } = bell;
    if (this.#known.has(token)) return;
    const act = (): void => {
      this.#due.push(bell);
      this.#next();
    };
    this.#known.set(token, inMs === 0 ? undefined : setTimeout(act, Math.ceil(inMs)));
    if (inMs === 0) act();
  }

  close(): void {
    for (const timer of this.#known.values()) clearTimeout(timer);
    this.#due.length = 0;
  }

  #next(): void {
    while (this.#running < atOnceMax) {
      const bell = this.#due.shift();
      if (bell === undefined) return;
      this.#running += 1;
      void answer(this.#options, bell)
        .catch((error: unknown) => this.#options.failed(error))
        .finally(() => {
          this.#known.delete(bell.token);
          this.#running -= 1;
          this.#next();
        });
    }
  }
}

/**
 * Whose node lives is none of ours: it has the session, or looks for itself. Those of dead ones go round:
 * where one node has no room, another may.
 */
function isMine(options: BellRoundsOptions, { token, incarnation }: Bell, round: number): boolean {
  const own = options.incarnation();
  if (incarnation === own) return !options.isHere(token);
  const standing = options.standing(incarnation);
  if (standing.type === "living") return false;
  if (standing.successor === own) return !options.isHere(token);
  const place = options.rank();
  if (standing.successor !== undefined || place === undefined) return false;
  return (shardOf(token) + round) % place.count === place.index;
}

/** A bell that a node rang after this one was found has a higher sequence, and stays. */
async function answer(options: BellRoundsOptions, bell: Bell): Promise<void> {
  const { bells, inbox, monotonicMs } = options;
  const { name, token, seq, incarnation } = bell;
  // somebody called it meanwhile
  if (incarnation === options.incarnation() && options.isHere(token)) return;
  const told = await inbox.order("deliver", name, monotonicMs() + deliverMsMax, undefined);
  if (told.ok) await bells.silence(token, seq);
}
