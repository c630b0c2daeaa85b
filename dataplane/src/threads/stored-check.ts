// What a thread gives to be stored. The code of agents shares it, and may have replaced what states are
// written with: what would not load again is refused before it is stored, for it would be lost for good.
import { crc32 } from "node:zlib";
import { checkDelta, checkHead, checkPage, isDamage } from "@voda/state";
import { FrameError } from "../frame/index.ts";

/** What an activation is opened with: pages in order, then the changes of the turns after them. */
export interface StoredImage {
  readonly pages: readonly Uint8Array[];
  readonly deltas: readonly Uint8Array[];
}

/** Of one activation. What it refuses throws a FrameError. */
export class StoredCheck {
  /** Of the last transaction; `undefined` where what it was opened with does not load. */
  #seq: number | undefined;

  constructor({ pages, deltas }: StoredImage) {
    const before = pages.length === 0 ? 0 : seqOf(pages);
    if (before !== undefined) this.#seq = before + deltas.filter(({ length }) => length > 0).length;
  }

  /** Of a turn that changes nothing it has no bytes. */
  delta(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const seq = checked("changes of a turn", () => checkDelta(bytes, crc32));
    if (this.#seq === undefined) throw new FrameError(`transaction ${seq} of a state that does not load`);
    const expected = this.#seq + 1;
    if (seq !== expected) throw new FrameError(`transaction ${seq} where ${expected} must follow`);
    this.#seq = seq;
  }

  page(bytes: Uint8Array): void {
    checked("a page", () => checkPage(bytes, crc32));
  }

  /** Pages that have each passed `page`. */
  snapshot(pages: readonly Uint8Array[]): void {
    const seq = checked("a snapshot", () => checkHead(pages, crc32));
    if (seq !== this.#seq)
      throw new FrameError(`a snapshot after transaction ${seq}; the last one was ${this.#seq}`);
  }
}

/** `undefined`: they are damaged, which the thread is to say. */
function seqOf(pages: readonly Uint8Array[]): number | undefined {
  try {
    return checkHead(pages, crc32);
  } catch (error) {
    if (!isDamage(error)) throw error;
    return undefined;
  }
}

function checked<T>(what: string, check: () => T): T {
  try {
    return check();
  } catch (cause) {
    if (!isDamage(cause)) throw cause;
    throw new FrameError(`${what}: ${cause.message}`, { cause });
  }
}
