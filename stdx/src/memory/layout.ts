// Where things lie in a pool's shared memory: a header, the tables of its blocks, then the blocks. All
// threads see the same bytes.
import { MemoryError } from "./errors.ts";
import { blocksLimit } from "./handle.ts";

// TypeScript declares WebAssembly only together with the browser's DOM, which Node does not have.
declare global {
  namespace WebAssembly {
    class Memory {
      constructor(descriptor: { initial: number; maximum: number; shared: true });
      readonly buffer: SharedArrayBuffer;
      /** Pages of 64 KiB; returns how many there were. */
      grow(pages: number): number;
    }
    interface Module {
      readonly [Symbol.toStringTag]: string;
    }
    const Module: new (bytes: Uint8Array<ArrayBuffer>) => Module;
    class Instance {
      constructor(module: Module, imports: Readonly<Record<string, Readonly<Record<string, Memory>>>>);
      readonly exports: Readonly<Record<string, unknown>>;
    }
  }
}

export const wasmPageBytes = 65_536;
/**
 * Blocks begin at multiples of this, so that SIMD kernels load whole vectors and no two blocks share a
 * cache line.
 */
export const alignBytes = 64;
const headerBytes = 64;
const magic = 0x766d656d;

/** One row for each block, by its number. */
export interface Tables {
  readonly blocksMax: number;
  /** Lives of the block number that ended. */
  readonly generations: Uint32Array;
  /** Bit k: thread k holds the block. 0: nobody does. */
  readonly holders: Int32Array;
  /** Where the block begins, in units of `alignBytes`. */
  readonly offsets: Uint32Array;
  /** Bytes that were asked for. */
  readonly lengths: Uint32Array;
  /** First byte behind the tables. */
  readonly end: number;
}

/** Bytes of header and tables, rounded up to whole pages of WebAssembly. */
export function tableBytes(blocksMax: number): number {
  return Math.ceil((headerBytes + 16 * blocksMax) / wasmPageBytes) * wasmPageBytes;
}

/** Writes the header of a new pool. */
export function formatTables(memory: WebAssembly.Memory, blocksMax: number): Tables {
  const header = new Uint32Array(memory.buffer, 0, 2);
  header[0] = magic;
  header[1] = blocksMax;
  return tablesOf(memory);
}

/** @throws MemoryError when no pool was made in this memory */
export function tablesOf(memory: WebAssembly.Memory): Tables {
  const [found, blocksMax = 0] = new Uint32Array(memory.buffer, 0, 2);
  if (found !== magic || blocksMax === 0 || blocksMax > blocksLimit)
    throw new MemoryError("bad_size", "this memory holds no pool; make one with `new MemoryPool(...)` first");
  const column = (index: number): [SharedArrayBuffer | ArrayBuffer, number, number] => [
    memory.buffer,
    headerBytes + index * 4 * blocksMax,
    blocksMax,
  ];
  return {
    blocksMax,
    generations: new Uint32Array(...column(0)),
    holders: new Int32Array(...column(1)),
    offsets: new Uint32Array(...column(2)),
    lengths: new Uint32Array(...column(3)),
    end: tableBytes(blocksMax),
  };
}
