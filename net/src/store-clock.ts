// What the store's clock shows, from questions that it answers with its time: nodes and control planes whose
// wall clocks differ agree on it.

/** The most by which `storeMs` may be wrong; two readings further apart than that contradict each other. */
export const storeErrorMsMax = 250;
/** Readings among which the best is looked for: one a second, so a slow drift of the clocks is followed. */
const readingsMax = 8;
/** After this long without a reading that is good enough nothing is certain any more. */
export const readingAgeMsMax = 10_000;

/** One question: when it was sent and answered, monotonic, and the time that the store answered with. */
export interface Reading {
  readonly sentAtMs: number;
  readonly ackedAtMs: number;
  readonly storedAtMs: number;
}

/** Why the clock is not to be relied on. */
export type ClockDoubt =
  | { readonly type: "jumped"; readonly jumpMs: number }
  | { readonly type: "slow"; readonly roundTripMs: number };

/**
 * Store time less monotonic time lies between the two: the store looked between the sending and the answer.
 */
interface Offset {
  readonly lowMs: number;
  readonly highMs: number;
}

const middleOf = ({ lowMs, highMs }: Offset): number => (lowMs + highMs) / 2;
const widthOf = ({ lowMs, highMs }: Offset): number => highMs - lowMs;
const isGood = (offset: Offset): boolean => widthOf(offset) <= 2 * storeErrorMsMax;
/** Signed: by how much what the offset says lies beyond `ms`. */
const beyond = ({ lowMs, highMs }: Offset, ms: number): number =>
  lowMs > ms ? lowMs - ms : Math.min(0, highMs - ms);

export class StoreClock {
  /** Those that agree; of the first one it is not asked how good it is. */
  #offsets: Offset[] = [];
  #offsetMs: number | undefined;
  /** Contradicts the others: the next reading decides. */
  #rival: Offset | undefined;
  #goodAtMs = Number.NEGATIVE_INFINITY;

  /** False until the first reading. */
  get isSet(): boolean {
    return this.#offsetMs !== undefined;
  }

  /** Store time at a monotonic one; may go back when the store's clock does. */
  storeMs(monotonicMs: number): number {
    if (this.#offsetMs === undefined) throw new Error("the store's clock was not read yet");
    return monotonicMs + this.#offsetMs;
  }

  /** Whether `storeMs` is right to `storeErrorMsMax`. */
  isSure(monotonicMs: number): boolean {
    return this.#rival === undefined && monotonicMs - this.#goodAtMs <= readingAgeMsMax;
  }

  /** What speaks against relying on the clock from now on, if anything. */
  read({ sentAtMs, ackedAtMs, storedAtMs }: Reading): ClockDoubt | undefined {
    // the store's times are cut to whole milliseconds
    const offset = { lowMs: storedAtMs - ackedAtMs, highMs: storedAtMs + 1 - sentAtMs };
    if (!isGood(offset)) {
      this.#offsetMs ??= middleOf(offset);
      return this.isSure(ackedAtMs) ? undefined : { type: "slow", roundTripMs: ackedAtMs - sentAtMs };
    }
    const jumpMs = this.#offsets.length === 0 ? 0 : beyond(offset, this.#offsetMs ?? 0);
    if (Math.abs(jumpMs) > storeErrorMsMax) {
      const rival = this.#rival;
      if (rival === undefined || Math.abs(beyond(offset, middleOf(rival))) > storeErrorMsMax) {
        this.#rival = offset;
        return { type: "jumped", jumpMs };
      }
      this.#offsets = [rival];
    }
    this.#rival = undefined;
    this.#offsets = [...this.#offsets, offset].slice(-readingsMax);
    this.#offsetMs = middleOf(this.#offsets.reduce((a, b) => (widthOf(b) < widthOf(a) ? b : a)));
    this.#goodAtMs = ackedAtMs;
    return undefined;
  }
}
