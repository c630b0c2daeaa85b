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

/** The producer's end. */
export class RingWriter {
  /** Where `reserve` points into. */
  readonly memory: FrameMemory;
  readonly recordBytesMax: number;
  readonly #ring: Ring;
  readonly #doorbell: Doorbell;
  readonly #onBell = (): void => this.#notifySpace();
  #head: number;
  #tail: number;
  /** Bytes that the open reservation takes, with what it wastes at the wrap; 0 when there is none. */
  #reserved = 0;
  #scheduled: NodeJS.Immediate | undefined;
  #waiting: { readonly length: number; readonly listener: () => void } | undefined;
  readonly #onBroken: (error: RingError) => void;
  #isBroken = false;
  #closed = false;

  /** `onBroken`: the reader broke the ring; nothing is written any more. Told once. */
  constructor(shared: SharedArrayBuffer, doorbell: Doorbell, onBroken: (error: RingError) => void) {
    this.#ring = openRing(shared);
    this.#doorbell = doorbell;
    this.#onBroken = onBroken;
    this.memory = this.#ring.memory;
    this.recordBytesMax = ringRecordBytesMax(this.#ring.capacity);
    this.#head = Atomics.load(this.#ring.control, headIndex);
    this.#tail = Atomics.load(this.#ring.control, tailIndex);
    Atomics.store(this.#ring.control, committedIndex, this.#head);
    doorbell.on("message", this.#onBell);
  }

  /**
   * Room for a record of at most `length` bytes: its place in `memory`, or `false` when the ring is full or
   * broken. A second call before `commit` takes the same room again. @throws RangeError beyond recordBytesMax
   */
  reserve(length: number): number | false {
    if (length > this.recordBytesMax)
      throw new RangeError(`record of ${length} bytes exceeds recordBytesMax ${this.recordBytesMax}`);
    const { capacity, memory } = this.#ring;
    const at = this.#head & (capacity - 1);
    const need = this.#need(length);
    if (this.#isBroken) return false;
    if (this.#free() < need && !this.#refresh(need)) return false;
    this.#reserved = need;
    if (need === roomOf(length)) return at + recordHeaderBytes;
    // invisible until the head passes it, so a reservation that is dropped leaves no trace
    memory.view.setUint32(at + 4, wrapMark, true);
    return recordHeaderBytes;
  }

  /**
   * Completes the reserved record with the length it came to. The reader sees it after `publish`, which runs
   * once per loop tick.
   */
  commit(at: number, length: number): void {
    const start = at - recordHeaderBytes;
    const { capacity, memory } = this.#ring;
    const position = this.#head & (capacity - 1);
    const wasted = start === position ? 0 : capacity - position;
    if ((wasted !== 0 && start !== 0) || wasted + roomOf(length) > this.#reserved) {
      throw new RangeError(`commit of ${length} bytes at ${at} without a reservation that holds them`);
    }
    memory.view.setUint32(start, length, true);
    memory.view.setUint32(start + 4, recordMark, true);
    this.#head = (this.#head + wasted + roomOf(length)) | 0;
    Atomics.store(this.#ring.control, committedIndex, this.#head);
    this.#reserved = 0;
    this.#scheduled ??= setImmediate(() => this.publish());
  }

  /** Shows the committed records to the reader now, and wakes it if it sleeps. */
  publish(): void {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    if (this.#closed) return;
    // sequentially consistent, as are the flags: either the reader sees this head or the writer sees it
    // asleep
    Atomics.store(this.#ring.control, headIndex, this.#head);
    wake(this.#ring.control, readerSleepsIndex, this.#doorbell);
  }

  /** Calls `listener` once, when room for `length` bytes is free; the next call replaces it. */
  onSpace(length: number, listener: () => void): void {
    this.#waiting = { length, listener };
    this.publish();
    // never inside the caller's own call
    setImmediate(() => this.#notifySpace());
  }

  close(): void {
    this.#closed = true;
    clearImmediate(this.#scheduled);
    this.#waiting = undefined;
    this.#doorbell.off("message", this.#onBell);
  }

  /** Arms before it looks: a reader that frees room in between rings the doorbell. */
  #notifySpace(): void {
    if (this.#waiting === undefined) return;
    Atomics.store(this.#ring.control, writerWaitsIndex, 1);
    if (!this.#refresh(this.#need(this.#waiting.length))) return;
    Atomics.store(this.#ring.control, writerWaitsIndex, 0);
    const { listener } = this.#waiting;
    this.#waiting = undefined;
    listener();
  }

  /** Room for a record at the head, with what it wastes at the wrap. */
  #need(length: number): number {
    const { capacity } = this.#ring;
    const untilEnd = capacity - (this.#head & (capacity - 1));
    const room = roomOf(length);
    return untilEnd < room ? untilEnd + room : room;
  }

  #free(): number {
    return this.#ring.capacity - ((this.#head - this.#tail) | 0);
  }

  /** Reads how far the reader has come; whether `room` is free now. */
  #refresh(room: number): boolean {
    const tail = Atomics.load(this.#ring.control, tailIndex);
    const used = (this.#head - tail) | 0;
    if (used < 0 || used > this.#ring.capacity || (tail & 7) !== 0) {
      this.#isBroken = true;
      this.close();
      this.#onBroken(new RingError(`the reader's tail ${tail} does not fit the head ${this.#head}`));
      return false;
    }
    this.#tail = tail;
    return this.#free() >= room;
  }
}
