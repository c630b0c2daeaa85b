// Which handlers have begun in a thread and not ended, in memory that outlives it: whatever ends a thread,
// and however suddenly, its host knows which calls may have had effects outside, and which never ran.

/** Handlers that are marked at once; while more run than that, all calls of the thread count as begun. */
export const begunMax = 16_384;

/** Written by the thread, read by its host when the thread is gone. */
export type BegunTable = Float64Array<SharedArrayBuffer>;

/** The call whose handler holds the thread at this moment, before its first `await`; 0 for none. */
const synchronousAt = 0;
/**
 * Not 0 while marks are missing: too many handlers run, or what they ended with waits in the thread's own
 * memory.
 */
const unmarkedAt = 1;
const behindAt = 2;
/** The call whose handler began last, also when it has ended. */
const lastAt = 3;
const firstMark = 4;

/** 128 KiB per thread, of zeros: nothing has begun. */
export function createBegunTable(): BegunTable {
  return new Float64Array(new SharedArrayBuffer((firstMark + begunMax) * Float64Array.BYTES_PER_ELEMENT));
}

/** The thread's side: a few stores per call. */
export class BegunWriter {
  readonly #table: BegunTable;
  readonly #free = Array.from({ length: begunMax }, (_, index) => firstMark + begunMax - 1 - index);

  constructor(table: BegunTable) {
    this.#table = table;
  }

  /** Where the call is marked; 0 for nowhere. */
  begin(call: number): number {
    this.#table[synchronousAt] = call;
    this.#table[lastAt] = call;
    const mark = this.#free.pop();
    if (mark === undefined) {
      this.#add(unmarkedAt, 1);
      return 0;
    }
    this.#table[mark] = call;
    return mark;
  }

  /** After its outcome was sent. */
  end(mark: number): void {
    if (mark === 0) {
      this.#add(unmarkedAt, -1);
      return;
    }
    this.#table[mark] = 0;
    this.#free.push(mark);
  }

  synchronous(call: number): void {
    this.#table[synchronousAt] = call;
  }

  /** Outcomes of calls wait for room in the ring, or do not any more. */
  behind(isBehind: boolean): void {
    this.#table[behindAt] = isBehind ? 1 : 0;
  }

  #add(at: number, by: number): void {
    this.#table[at] = (this.#table[at] ?? 0) + by;
  }
}

/** What the table of a thread that is gone says. */
export interface Begun {
  has(call: number): boolean;
  /** The call whose handler held the thread when it went, before its first `await`. */
  readonly holder: number | undefined;
  /** Of a thread that spoiled what it says: the call whose handler began last, which may have done it. */
  readonly last: number | undefined;
}

/** The call whose handler holds the thread now, before its first `await`; 0 for none. */
export const synchronousCall = (table: BegunTable): number => table[synchronousAt] ?? 0;

/**
 * Of a thread, when it is found that it wrote what nobody can read: of each call it may be the outcome. Who
 * spoiled it cannot be known: whoever replaces what is written with may have ended long before something is.
 */
export function spoiledBegun({ [lastAt]: last = 0 }: BegunTable): Begun {
  return { has: () => true, holder: undefined, last: callOrNone(last) };
}

/**
 * After the thread has gone. Where marks may be missing every call counts as begun: to run one again that had
 * effects is worse than to fail it.
 */
export function readBegun(table: BegunTable): Begun {
  const [holder = 0, unmarked = 0, behind = 0] = table;
  const calls = new Set(table.subarray(firstMark));
  calls.delete(0);
  const isComplete = unmarked === 0 && behind === 0;
  return { has: (call) => !isComplete || calls.has(call), holder: callOrNone(holder), last: undefined };
}

const callOrNone = (call: number): number | undefined => (call === 0 ? undefined : call);
