import type { FrameMemory } from "../frame/index.ts";
import {
  committedIndex,
  type Doorbell,
  headIndex,
  openRing,
  type Ring,
  RingError,
  readerSleepsIndex,
  recordHeaderBytes,
  recordMark,
  ringRecordBytesMax,
  roomOf,
  tailIndex,
  wake,
  wrapMark,
  writerWaitsIndex,
} from "./ring.ts";

/** What a reader takes in one loop tick before it lets others run. */
export const drainRecordsMax = 256;
/** See `drainRecordsMax`; whichever comes first. */
export const drainBytesMax = 1024 * 1024;

/** Called from the consumer's event loop, one record after the other. */
export interface RingListener {
  /** Before the records that one loop tick reads. */
  onTick?(): void;
  /**
   * A record: `length` bytes at `at`, to be used or copied before this returns. Another thread can still
   * write to them.
   */
  onRecord(memory: FrameMemory, at: number, length: number): void;
  /** The writer broke the ring; nothing is read any more. Told once. */
  onBroken(error: RingError): void;
}

/**
 * The consumer's end: reads as soon as it is made, until it is closed. Its doorbell keeps the event loop
 * alive.
 */
export class RingReader {
  readonly #ring: Ring;
  readonly #doorbell: Doorbell;
  readonly #listener: RingListener;
  readonly #onBell = (): void => this.#drain();
  readonly #recordBytesMax: number;
  #tail: number;
  #head: number;
  #headAt = headIndex;
  #scheduled: NodeJS.Immediate | undefined;
  #held = false;
  #closed = false;

  constructor(shared: SharedArrayBuffer, doorbell: Doorbell, listener: RingListener) {
    this.#ring = openRing(shared);
    this.#doorbell = doorbell;
    this.#listener = listener;
    this.#recordBytesMax = ringRecordBytesMax(this.#ring.capacity);
    this.#tail = Atomics.load(this.#ring.control, tailIndex);
    this.#head = this.#tail;
    doorbell.on("message", this.#onBell);
    this.#drainSoon();
  }

  /**
   * Reads what is committed, shown or not, at most a ring of it: of a producer that may never come to the end
   * of its loop tick. One that writes on meanwhile would hold its reader as long as it likes.
   */
  takeRest(): void {
    this.#headAt = committedIndex; // from now on: what is shown lags behind what is read
    const from = this.#tail;
    this.#guarded(() => {
      while (!this.#closed && ((this.#tail - from) | 0) < this.#ring.capacity && this.#readSome());
    });
  }

  /** Reads nothing from now on, or goes on. Within a record of its own it ends what this drain would read. */
  hold(isHeld: boolean): void {
    this.#held = isHeld;
    if (!isHeld && !this.#closed) this.#drainSoon();
  }

  close(): void {
    this.#closed = true;
    clearImmediate(this.#scheduled);
    this.#doorbell.off("message", this.#onBell);
  }

  #drainSoon(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.#drain();
    });
  }

  /**
   * Looks once more a loop tick after it found work, so that a busy writer rings no doorbell; then arms,
   * looks again and sleeps.
   */
  #drain(): void {
    if (this.#closed || this.#held) return;
    this.#listener.onTick?.();
    this.#guarded(() => {
      if (this.#readSome()) return this.#drainSoon();
      Atomics.store(this.#ring.control, readerSleepsIndex, 1);
      if (Atomics.load(this.#ring.control, this.#headAt) === this.#tail) return;
      Atomics.store(this.#ring.control, readerSleepsIndex, 0);
      this.#drainSoon();
    });
  }

  /** Every way to read goes through here: what a writer leaves must never be thrown at who only looks. */
  #guarded(read: () => void): void {
    try {
      read();
    } catch (error) {
      // what a listener throws is its own; the ring is well
      if (!(error instanceof RingError)) throw error;
      this.close();
      this.#listener.onBroken(error);
    }
  }

  /** Whether there was anything. */
  #readSome(): boolean {
    const from = this.#tail;
    try {
      for (
        let records = 0;
        records < drainRecordsMax && ((this.#tail - from) | 0) < drainBytesMax;
        records += 1
      ) {
        if (this.#closed || this.#held || !this.#readOne()) break;
      }
    } finally {
      // also after a throw: the records that were handed on are read, and their room is free
      if (this.#tail !== from) {
        Atomics.store(this.#ring.control, tailIndex, this.#tail);
        wake(this.#ring.control, writerWaitsIndex, this.#doorbell);
      }
    }
    return this.#tail !== from;
  }

  /** Each word is read once and checked as it was read: the writer's thread may change it a moment later. */
  #readOne(): boolean {
    if (this.#tail === this.#head && !this.#refresh()) return false;
    const { memory, capacity } = this.#ring;
    let at = this.#tail & (capacity - 1);
    let mark = memory.view.getUint32(at + 4, true);
    if (mark === wrapMark && at !== 0) {
      this.#tail = (this.#tail + capacity - at) | 0;
      at = 0;
      mark = memory.view.getUint32(4, true);
    }
    const length = memory.view.getUint32(at, true);
    const published = (this.#head - this.#tail) | 0;
    if (
      mark !== recordMark ||
      length > this.#recordBytesMax ||
      roomOf(length) > published ||
      at + roomOf(length) > capacity
    ) {
      throw new RingError(
        `no record at ${at} of ${capacity}: length ${length}, ${published} bytes published`,
      );
    }
    this.#tail = (this.#tail + roomOf(length)) | 0;
    this.#listener.onRecord(memory, at + recordHeaderBytes, length);
    return true;
  }

  #refresh(): boolean {
    const head = Atomics.load(this.#ring.control, this.#headAt);
    // Int32 arithmetic wraps as the counters do
    const published = (head - this.#tail) | 0;
    if (published < 0 || published > this.#ring.capacity || (head & 7) !== 0) {
      throw new RingError(`the writer's head ${head} does not fit the tail ${this.#tail}`);
    }
    this.#head = head;
    return published > 0;
  }
}
