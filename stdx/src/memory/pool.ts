// The owner of a pool: gives out blocks of shared memory and takes them back, without the garbage collector.
import { MemoryError } from "./errors.ts";
import { blocksLimit, generationMax, type Handle, packHandle } from "./handle.ts";
import { Holder, threadsMax } from "./holder.ts";
import { alignBytes, formatTables, tableBytes, wasmPageBytes } from "./layout.ts";

/** Most that WebAssembly can address with 32 bits. */
const memoryBytesMax = 4 * 1024 ** 3;
/** Sizes of blocks are powers of two from `alignBytes` to this. */
const blockBytesMax = 2 ** 31;
const alignBits = Math.log2(alignBytes);
const classesMax = 32;
const growBytes = 16 * 1024 ** 2;

export interface PoolOptions {
  /** Header, tables and blocks together; at most 4 GiB. The memory starts small and grows up to it. */
  readonly bytesMax: number;
  /** Blocks alive at the same time: 1..1,048,576, default 16,384. Each costs 16 bytes for good. */
  readonly blocksMax?: number;
}

/**
 * Blocks of a shared `WebAssembly.Memory`. A block has the next power of two of the bytes that were asked
 * for, at least 64; its content is what the last holder left there. Memory that was taken for a size stays
 * with that size.
 *
 * One thread owns the pool and is its thread 0; others hold blocks through a `Holder` of their own.
 */
export class MemoryPool {
  readonly memory: WebAssembly.Memory;
  /** The owner's side. */
  readonly holder: Holder;
  readonly bytesMax: number;
  readonly #free: number[][] = Array.from({ length: classesMax }, () => []);
  /** The size of each block number that was ever used, as a power of two. */
  readonly #classes: number[] = [];
  /** 1: somebody holds the block, as far as the owner knows. */
  readonly #out: Uint8Array;
  #end: number;
  #live = 0;

  constructor({ bytesMax, blocksMax = 16_384 }: PoolOptions) {
    if (!(blocksMax >= 1 && blocksMax <= blocksLimit))
      throw new MemoryError("bad_size", `blocksMax ${blocksMax} is not in 1..${blocksLimit}`);
    const tables = tableBytes(blocksMax);
    if (!(bytesMax > tables && bytesMax <= memoryBytesMax))
      throw new MemoryError("bad_size", `bytesMax ${bytesMax} is not in ${tables + 1}..${memoryBytesMax}`);
    const maximum = Math.floor(bytesMax / wasmPageBytes);
    this.memory = new WebAssembly.Memory({ initial: tables / wasmPageBytes, maximum, shared: true });
    this.bytesMax = maximum * wasmPageBytes;
    this.#end = formatTables(this.memory, blocksMax).end;
    this.#out = new Uint8Array(blocksMax);
    this.holder = new Holder(this.memory, 0, (slot) => this.#take(slot));
  }

  /** Blocks that somebody holds, as far as is known without `sweep`. */
  get live(): number {
    return this.#live;
  }

  /**
   * A block of at least `bytes` (1..2^31), held once by the owner's thread.
   * @throws MemoryError `out_of_memory`, `too_many_blocks`, `bad_size`
   */
  alloc(bytes: number): Handle {
    const kind = classOf(bytes);
    const slot = this.#free[kind]?.pop() ?? this.#more(kind);
    const { lengths, generations } = this.holder.tables;
    lengths[slot] = bytes;
    this.#out[slot] = 1;
    this.#live += 1;
    const handle = packHandle(slot, generations[slot] ?? 0);
    this.holder.begin(slot, handle);
    return handle;
  }

  /** Takes back what the last holder released on another thread. Returns how many blocks that were. */
  sweep(): number {
    const { holders } = this.holder.tables;
    const before = this.#live;
    for (let slot = 0; slot < this.#classes.length; slot += 1)
      if (this.#out[slot] === 1 && Atomics.load(holders, slot) === 0) this.#take(slot);
    return before - this.#live;
  }

  /**
   * A thread died: whatever it held, or had been lent, is given back. Only call it when the thread cannot
   * run any more. Returns how many blocks became free.
   */
  reclaim(thread: number): number {
    if (!(thread >= 1 && thread < threadsMax))
      throw new MemoryError("bad_thread", `thread ${thread} is not in 1..${threadsMax - 1}`);
    const { holders } = this.holder.tables;
    for (let slot = 0; slot < this.#classes.length; slot += 1) Atomics.and(holders, slot, ~(1 << thread));
    return this.sweep();
  }

  /** Handles of all blocks that are held by anybody, for tests that prove there are none. */
  held(): Handle[] {
    const { generations } = this.holder.tables;
    const slots = [...this.#classes.keys()].filter((slot) => this.#out[slot] === 1);
    return slots.map((slot) => packHandle(slot, generations[slot] ?? 0));
  }

  #take(slot: number): void {
    this.#out[slot] = 0;
    this.#live -= 1;
    const { generations } = this.holder.tables;
    const generation = (generations[slot] ?? 0) + 1;
    generations[slot] = generation;
    if (generation < generationMax) this.#free[this.#classes[slot] ?? 0]?.push(slot);
  }

  /** A block number that was never used, with memory behind those before it. */
  #more(kind: number): number {
    const slot = this.#classes.length;
    const { blocksMax, offsets } = this.holder.tables;
    if (slot === blocksMax)
      throw new MemoryError(
        "too_many_blocks",
        `blocksMax ${blocksMax} are in use; release some, or raise it`,
      );
    const bytes = 2 ** kind;
    const end = this.#end + bytes;
    if (end > this.bytesMax)
      throw new MemoryError(
        "out_of_memory",
        `a block of ${bytes} bytes does not fit: ${this.#end} of bytesMax ${this.bytesMax} are taken; release blocks of that size, or raise it`,
      );
    if (end > this.memory.buffer.byteLength) this.#grow(end);
    offsets[slot] = this.#end / alignBytes;
    this.#classes.push(kind);
    this.#end = end;
    return slot;
  }

  /** In large steps: each one makes a new buffer, which views on other blocks do not notice. */
  #grow(end: number): void {
    const now = this.memory.buffer.byteLength;
    const wanted = Math.min(this.bytesMax, Math.max(end, now + growBytes));
    try {
      this.memory.grow(Math.ceil((wanted - now) / wasmPageBytes));
    } catch (cause) {
      const message = `the machine gives no ${wanted - now} bytes more; lower bytesMax ${this.bytesMax}`;
      throw new MemoryError("out_of_memory", message, { cause });
    }
  }
}

function classOf(bytes: number): number {
  if (!(Number.isInteger(bytes) && bytes > 0 && bytes <= blockBytesMax))
    throw new MemoryError("bad_size", `a block of ${bytes} bytes is not possible: 1..${blockBytesMax} is`);
  return bytes <= alignBytes ? alignBits : 32 - Math.clz32(bytes - 1);
}
