// A byte ring in shared memory between one producer thread and one consumer thread. Both live on event loops:
// the consumer sleeps only after it has armed a flag, and the producer rings the doorbell only if it finds
// the flag armed.
//
// Control words stand on cache lines of their own: head (written by the producer), tail (by the consumer),
// and the two flags. Head and tail count bytes and wrap at 2^32. A record is `length u32, mark u32, bytes`,
// padded to 8; a wrap mark sends the reader to the start.
import type { FrameMemory } from "../frame/index.ts";
import { frameMemory } from "../frame/index.ts";

/** Capacity of a ring in bytes: three of the largest frames, and a power of two. */
export const ringBytes = 16 * 1024 * 1024;
/** Room for a few records: a smaller ring would hold hardly one. */
export const ringBytesMin = 1024;
/** Head and tail are 32 bits and their difference must stay a positive Int32. */
export const ringBytesMax = 256 * 1024 * 1024;

/** Four words on cache lines of their own, 64 bytes each. */
const controlBytes = 256;
/** Indices into the control words, 64 bytes apart. */
export const headIndex = 0;
/** Written by the consumer: how far it has read. */
export const tailIndex = 16;
/** 1 while the consumer wants the doorbell. */
export const readerSleepsIndex = 32;
/** 1 while the producer waits for room. */
export const writerWaitsIndex = 48;
/**
 * On the producer's line: the head with what it has not shown yet, for a reader that does not wait for it to
 * come to that.
 */
export const committedIndex = 1;

/** Length and mark. */
export const recordHeaderBytes = 8;
/** Before each record: bytes that are none do not pass for one by chance. */
export const recordMark = 0x44434552;
/** The rest up to the end is empty: the next record stands at 0. */
export const wrapMark = 0x50415257;

/** The other side wrote what no writer or reader of this code writes: the ring cannot be used any more. */
export class RingError extends Error {
  override readonly name = "RingError";
}

/** What a ring needs of a MessagePort to wake the other side. */
export interface Doorbell {
  postMessage(message: 0): void;
  on(event: "message", listener: () => void): unknown;
  off(event: "message", listener: () => void): unknown;
}

/** A view of the shared memory, for one side or the other. */
export interface Ring {
  readonly control: Int32Array;
  readonly memory: FrameMemory;
  readonly capacity: number;
}

/** @throws RangeError unless `bytes` is a power of two within ringBytesMin and ringBytesMax */
export function createRing(bytes: number = ringBytes): SharedArrayBuffer {
  const isPower = Number.isSafeInteger(Math.log2(bytes));
  if (!isPower || bytes < ringBytesMin || bytes > ringBytesMax) {
    throw new RangeError(
      `ring of ${bytes} bytes: it has a power of two from ${ringBytesMin} to ${ringBytesMax}`,
    );
  }
  return new SharedArrayBuffer(controlBytes + bytes);
}

/** Both sides open the same memory. Its size is trusted: it comes from `createRing` in this process. */
export function openRing(shared: SharedArrayBuffer): Ring {
  const capacity = shared.byteLength - controlBytes;
  return {
    control: new Int32Array(shared, 0, controlBytes / 4),
    memory: frameMemory(new Uint8Array(shared, controlBytes, capacity)),
    capacity,
  };
}

/**
 * A record wastes at most its own size at the wrap, so what fits twice fits at every position of an empty
 * ring.
 */
export function ringRecordBytesMax(capacity: number): number {
  return capacity / 2 - recordHeaderBytes;
}

/** Room that a record takes with its header and padding. */
export function roomOf(length: number): number {
  return (length + recordHeaderBytes + 7) & ~7;
}

/** Rings the doorbell of a side that armed `flag`: once per arming, whoever comes first. */
export function wake(control: Int32Array, flag: number, doorbell: Doorbell): void {
  if (Atomics.load(control, flag) === 1 && Atomics.compareExchange(control, flag, 1, 0) === 1)
    doorbell.postMessage(0);
}
