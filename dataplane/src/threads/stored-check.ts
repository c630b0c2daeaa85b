// What a thread gives to be stored. The code of agents shares it, and may have replaced what states are
// written with: what would not load again is refused before it is stored, for it would be lost for good.
import { crc32 } from "node:zlib";
import { checkDelta, checkHead, checkPage, isDamage } from "@voda/state";
import { FrameError } from "../frame/index.ts";

/** Of one activation. What it refuses throws a FrameError. */
export class StoredCheck {
  /** Of the last transaction; `undefined` before the first. */
  #seq: number | undefined;

  /** Of a turn that changes nothing it has no bytes. */
  delta(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const seq = checked("changes of a turn", () => checkDelta(bytes, crc32));
    const expected = (this.#seq ?? seq - 1) + 1;
    if (seq !== expected) throw new FrameError(`transaction ${seq} where ${expected} must follow`);
    this.#seq = seq;
  }

  page(bytes: Uint8Array): void {
    checked("a page", () => checkPage(bytes, crc32));
  }

  /** Pages that have each passed `page`. */
  snapshot(pages: readonly Uint8Array[]): void {
    const seq = checked("a snapshot", () => checkHead(pages, crc32));
    if (this.#seq !== undefined && seq !== this.#seq)
      throw new FrameError(`a snapshot after transaction ${seq}; the last one was ${this.#seq}`);
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
