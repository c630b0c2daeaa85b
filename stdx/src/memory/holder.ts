// One thread's side of a pool: what it holds, and the checked views on it.
import { MemoryError } from "./errors.ts";
import { generationOf, type Handle, slotOf } from "./handle.ts";
import { alignBytes, type Tables, tablesOf } from "./layout.ts";

/** Threads that can hold blocks of one pool: one bit of `holders` each. */
export const threadsMax = 31;
/** No handle: those are never negative. */
const notHeld = -1;

/** Told when the last hold of a block ended on this thread. */
type Freed = (slot: number) => void;

/**
 * Holds of one thread on the blocks of a pool. A thread counts its own holds without atomics; only whether
 * it holds a block at all stands in shared memory. A bit is set by somebody who holds the block, so a block
 * that has only my bit can be touched by nobody else.
 *
 * Every access checks the handle: one that was released, here or by the thread that lent it, throws
 * `stale_handle`.
 */
export class Holder {
  readonly memory: WebAssembly.Memory;
  /** Which bit of `holders` is mine: 0..threadsMax - 1. */
  readonly thread: number;
  readonly tables: Tables;
  readonly #bit: number;
  /**
   * The handle under which this thread holds each block, or `notHeld`: one comparison checks number, life
   * and hold.
   */
  readonly #held: Float64Array;
  readonly #counts: Int32Array;
  readonly #freed: Freed;
  readonly #f32: (Float32Array | undefined)[] = [];
  readonly #i32: (Int32Array | undefined)[] = [];
  readonly #u8: (Uint8Array | undefined)[] = [];

  /**
   * @param freed what to do with a block that nobody holds any more; by default the pool finds it in its
   * next `sweep`
   */
  constructor(memory: WebAssembly.Memory, thread: number, freed: Freed = leaveToSweep) {
    if (!Number.isInteger(thread) || thread < 0 || thread >= threadsMax)
      throw new MemoryError("bad_thread", `thread ${thread} is not in 0..${threadsMax - 1}`);
    this.memory = memory;
    this.thread = thread;
    this.tables = tablesOf(memory);
    this.#bit = 1 << thread;
    this.#held = new Float64Array(this.tables.blocksMax).fill(notHeld);
    this.#counts = new Int32Array(this.tables.blocksMax);
    this.#freed = freed;
  }

  /** Bytes that were asked for. @throws MemoryError */
  bytes(handle: Handle): number {
    return this.tables.lengths[this.#slot(handle)] ?? 0;
  }

  /** Where the block begins in the memory: what kernels take. @throws MemoryError */
  offset(handle: Handle): number {
    return (this.tables.offsets[this.#slot(handle)] ?? 0) * alignBytes;
  }

  /** A view of the block, the same object as long as the block lives. @throws MemoryError */
  f32(handle: Handle): Float32Array {
    const slot = this.#slot(handle);
    const view = this.#f32[slot];
    const length = (this.tables.lengths[slot] ?? 0) >>> 2;
    if (view !== undefined && view.length === length) return view;
    return (this.#f32[slot] = new Float32Array(this.memory.buffer, this.#begin(slot), length));
  }

  /** As `f32`, of 32-bit integers. @throws MemoryError */
  i32(handle: Handle): Int32Array {
    const slot = this.#slot(handle);
    const view = this.#i32[slot];
    const length = (this.tables.lengths[slot] ?? 0) >>> 2;
    if (view !== undefined && view.length === length) return view;
    return (this.#i32[slot] = new Int32Array(this.memory.buffer, this.#begin(slot), length));
  }

  /** As `f32`, of bytes. @throws MemoryError */
  u8(handle: Handle): Uint8Array {
    const slot = this.#slot(handle);
    const view = this.#u8[slot];
    const length = this.tables.lengths[slot] ?? 0;
    if (view !== undefined && view.length === length) return view;
    return (this.#u8[slot] = new Uint8Array(this.memory.buffer, this.#begin(slot), length));
  }

  /** Holds it once more: it then takes one `release` more. @throws MemoryError */
  retain(handle: Handle): void {
    const slot = this.#slot(handle);
    this.#counts[slot] = (this.#counts[slot] ?? 0) + 1;
  }

  /**
   * Gives one hold back. After the last one the handle is stale, on this thread at once. @throws
   * MemoryError
   */
  release(handle: Handle): void {
    const slot = this.#slot(handle);
    const left = (this.#counts[slot] ?? 0) - 1;
    this.#counts[slot] = left;
    if (left === 0) this.#drop(slot);
  }

  /**
   * Lets another thread hold the block; send it the handle then, and it calls `adopt`. Should it die
   * before, the pool's `reclaim` of that thread takes the hold back. @throws MemoryError
   */
  lend(handle: Handle, thread: number): void {
    const slot = this.#slot(handle);
    if (thread === this.thread || !Number.isInteger(thread) || thread < 0 || thread >= threadsMax)
      throw new MemoryError("bad_thread", `thread ${thread} cannot be lent to from thread ${this.thread}`);
    Atomics.or(this.tables.holders, slot, 1 << thread);
  }

  /** Takes over what was lent to this thread. @throws MemoryError */
  adopt(handle: Handle): void {
    const slot = slotOf(handle);
    const isLent = ((Atomics.load(this.tables.holders, slot) ?? 0) & this.#bit) !== 0;
    if (!isLent || this.tables.generations[slot] !== generationOf(handle)) throw stale(handle, this.thread);
    this.#held[slot] = handle;
    this.#counts[slot] = (this.#counts[slot] ?? 0) + 1;
  }

  /** For the pool: a block that nobody held is held by this thread now. */
  begin(slot: number, handle: Handle): void {
    this.tables.holders[slot] = this.#bit;
    this.#held[slot] = handle;
    this.#counts[slot] = 1;
  }

  #slot(handle: Handle): number {
    const slot = slotOf(handle);
    if (this.#held[slot] !== handle) throw stale(handle, this.thread);
    return slot;
  }

  #begin(slot: number): number {
    return (this.tables.offsets[slot] ?? 0) * alignBytes;
  }

  #drop(slot: number): void {
    this.#held[slot] = notHeld;
    const { holders } = this.tables;
    // With only my bit nobody else may set one, so no atomic is needed.
    if (holders[slot] === this.#bit) holders[slot] = 0;
    else if (Atomics.and(holders, slot, ~this.#bit) !== this.#bit) return;
    this.#freed(slot);
  }
}

const leaveToSweep: Freed = () => undefined;

function stale(handle: Handle, thread: number): MemoryError {
  const what = `block ${slotOf(handle)}, life ${generationOf(handle)}`;
  return new MemoryError(
    "stale_handle",
    `${what} was released, or thread ${thread} never held it; use a block before its last release`,
  );
}
