// GPUs that are free and of no use: nothing that is deployed fits on them. Counted per node and kept with the
// version of the node, so that asking each second costs what has changed since.
import { type Books, blockBits, grown } from "./books.ts";
import type { Kind } from "./kind.ts";
import type { Pool } from "./pool.ts";
import type { PoolRequest } from "./request.ts";

/** Counts free GPUs that no deployed agent can use where they are. */
export class Stranded {
  readonly #pool: Pool;
  #wanted: readonly PoolRequest[] | undefined;
  #models = 0;
  #kinds: readonly Kind[] = [];
  #total = 0;
  #milli: Int32Array;
  #version: Int32Array;
  #blockVersion: Int32Array;

  constructor(pool: Pool) {
    this.#pool = pool;
    this.#milli = new Int32Array(pool.books.capacity);
    this.#version = new Int32Array(pool.books.capacity);
    this.#blockVersion = new Int32Array(pool.books.blockVersion.length);
  }

  /**
   * Free thousandths on devices of ready nodes on which none of the requests fits now; all of them when none
   * asks for GPUs. The same list stands for the same requests.
   */
  milli(wanted: readonly PoolRequest[]): number {
    const { books } = this.#pool;
    this.#want(wanted);
    for (let block = 0; block < books.blocks; block++) {
      if (this.#blockVersion[block] === books.blockVersion[block]) continue;
      this.#blockVersion[block] = books.blockVersion[block] as number;
      const end = Math.min(books.count, (block + 1) << blockBits);
      for (let node = block << blockBits; node < end; node++) {
        if (this.#version[node] === books.version[node]) continue;
        this.#version[node] = books.version[node] as number;
        const milli = strandedOn(books, node, this.#kinds);
        this.#total += milli - (this.#milli[node] as number);
        this.#milli[node] = milli;
      }
    }
    return this.#total;
  }

  #want(wanted: readonly PoolRequest[]): void {
    const { books } = this.#pool;
    if (this.#version.length < books.capacity) {
      this.#milli = grown(this.#milli, books.capacity);
      this.#version = grown(this.#version, books.capacity);
      this.#blockVersion = grown(this.#blockVersion, books.blockVersion.length);
    }
    if (this.#wanted === wanted && this.#models === books.models.length) return;
    this.#wanted = wanted;
    this.#models = books.models.length;
    const kinds = wanted
      .map((request) => this.#pool.kindOf(request))
      .filter((kind) => typeof kind !== "string");
    this.#kinds = [...new Set(kinds)].filter(({ gpuCount }) => gpuCount > 0);
    this.#version.fill(0);
    this.#blockVersion.fill(0);
  }
}

function strandedOn(books: Books, node: number, kinds: readonly Kind[]): number {
  if (books.isReady[node] === 0 || books.gpuMilli[node] === 0) return 0;
  const taking = kinds.filter((kind) => books.fits(node, kind));
  let stranded = 0;
  const first = node * books.stride;
  for (let device = first; device < first + (books.gpus[node] as number); device++) {
    const free = books.deviceMilli[device] as number;
    // a node that takes several whole devices takes any of its idle ones
    if (free > 0 && !taking.some((kind) => books.takes(device, kind))) stranded += free;
  }
  return stranded;
}
