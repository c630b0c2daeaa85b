// Sessions that have sent what is not delivered, or whose timers are due, and that no living node has in
// memory, are woken for it.
import { type SessionToken, shardOf } from "@voda/proto/session";
import type { Standing } from "../lane/index.ts";
import type { Bell, Bells } from "../store/index.ts";
import type { Inbox } from "./inbox.ts";

/** Where bells ring, and what this node knows of who hears them. */
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
/** Sessions that are brought into memory at the same time. */
export const atOnceMax = 64;
/** Until those are looked at again while others wait. */
const wakesCheckMs = 50;
/**
 * Rounds read what was rung since the last one. All bells are read again once in that time: those of sessions
 * that sleep with timers may be many, and each costs a node 14 us.
 */
export const bellsAnewMs = 60_000;

/** A round that takes longer than the pause leaves out the next one. */
export function openBellRounds(options: BellRoundsOptions): AsyncDisposable {
  const wakes = new Wakes(options);
  const known = new KnownBells(options);
  let count = 0;
  let round: Promise<void> | undefined;
  const work = (): void => {
    if (!options.isConnected()) known.forget();
    if (round !== undefined || !options.isConnected()) return;
    count += 1;
    // the store did not answer: the next round has it all again
    round = runRound(options, { known, wakes, round: count })
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

/** What one round over all bells works on; its number says which node sees to those of dead ones. */
interface Round {
  readonly known: KnownBells;
  readonly wakes: Wakes;
  readonly round: number;
}

async function runRound(options: BellRoundsOptions, { known, wakes, round }: Round): Promise<void> {
  await known.read();
  for (const bell of known.soon.values()) {
    const inMs = bell.dueMs - options.storeMs();
    // two rounds ahead: the next one may take its time
    if (inMs <= 2 * bellsEveryMs && isMine(options, bell, round))
      wakes.add(bell, Math.max(0, inMs), () => known.soon.delete(bell.seq));
  }
}

/** The bells that are due before all are read again. */
class KnownBells {
  readonly #options: BellRoundsOptions;
  /** By sequence. */
  soon = new Map<number, Bell>();
  #nextSeq = 1;
  #anewAtMs = 0;

  constructor(options: BellRoundsOptions) {
    this.#options = options;
  }

  /** Another server may give out the same sequences. */
  forget(): void {
    this.#anewAtMs = 0;
  }

  async read(): Promise<void> {
    const { bells, monotonicMs, storeMs } = this.#options;
    const nowMs = monotonicMs();
    const isAnew = nowMs >= this.#anewAtMs;
    const soon = isAnew ? new Map<number, Bell>() : this.soon;
    if (isAnew) this.#nextSeq = 1;
    for await (const bell of bells.from(this.#nextSeq)) {
      if (bell.dueMs - storeMs() <= 2 * bellsAnewMs) soon.set(bell.seq, bell);
      this.#nextSeq = bell.seq + 1;
    }
    this.soon = soon;
    if (isAnew) this.#anewAtMs = nowMs + bellsAnewMs;
  }
}

/** Its bell is due, and waits until fewer than `atOnceMax` are on their way into memory. */
interface PendingWake {
  readonly bell: Bell;
  readonly over: () => void;
}

/**
 * Sessions that are to be woken, each when its bell is due. One that is in memory delivers by itself, for as
 * long as its targets take: it makes room for the next one.
 */
class Wakes {
  readonly #options: BellRoundsOptions;
  /** By sequence of the bell; until it is answered. */
  readonly #waiting = new Map<number, NodeJS.Timeout | undefined>();
  readonly #pending: PendingWake[] = [];
  /** Bells of those that are on their way into memory. */
  readonly #waking = new Set<Bell>();
  #check: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: BellRoundsOptions) {
    this.#options = options;
  }

  /** `over`: there is nothing left to do for it. */
  add(bell: Bell, inMs: number, over: () => void): void {
    if (this.#isClosed || this.#waiting.has(bell.seq)) return;
    const act = (): void => {
      this.#pending.push({ bell, over });
      this.#next();
    };
    this.#waiting.set(bell.seq, inMs === 0 ? undefined : setTimeout(act, Math.ceil(inMs)));
    if (inMs === 0) act();
  }

  /** Nothing begins any more. What was ordered is the inbox's, which answers when it is closed itself. */
  close(): void {
    this.#isClosed = true;
    for (const timer of this.#waiting.values()) clearTimeout(timer);
    clearTimeout(this.#check);
    this.#pending.length = 0;
  }

  #next(): void {
    if (this.#isClosed) return;
    for (const bell of this.#waking) if (this.#options.isHere(bell.token)) this.#waking.delete(bell);
    while (this.#waking.size < atOnceMax) {
      const due = this.#pending.shift();
      if (due === undefined) return;
      this.#wake(due);
    }
    this.#check ??= setTimeout(() => {
      this.#check = undefined;
      this.#next();
    }, wakesCheckMs);
  }

  #wake(due: PendingWake): void {
    const { bell } = due;
    this.#waking.add(bell);
    void answer(this.#options, due, () => this.#isClosed)
      .catch((error: unknown) => this.#options.failed(error))
      .finally(() => {
        this.#waiting.delete(bell.seq);
        this.#waking.delete(bell);
        this.#next();
      });
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
async function answer(
  options: BellRoundsOptions,
  { bell, over }: PendingWake,
  isClosed: () => boolean,
): Promise<void> {
  const { bells, inbox, monotonicMs } = options;
  const { name, token, seq, incarnation } = bell;
  // somebody called it meanwhile
  if (incarnation === options.incarnation() && options.isHere(token)) return;
  if (await bells.isThere(bell)) {
    if (isClosed()) return;
    // an order may take longer than the node has left: what comes of it then, the next round of another node
    // finds out by the bell
    const told = await inbox.order("deliver", name, monotonicMs() + deliverMsMax, undefined);
    if (!told.ok || isClosed()) return;
    await bells.silence(token, seq);
  }
  over();
}
