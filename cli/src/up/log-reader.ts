// Reads the logs that a supervisor writes, also while it writes them: from where the last look ended, a chunk
// at a time, past the change of files when one is full.
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";

const chunkBytes = 64 * 1024;
/** Longer than any line of a program of ours; what is longer is cut into lines of this length. */
export const lineBytesMax = 1024 * 1024;
const newline = 10;

/** A file that is read, known by its number: its name may be another's by now. */
interface Reading {
  readonly fd: number;
  readonly ino: number;
  /** Up to where it was read. */
  offset: number;
}

/** The lines of one child, oldest first: of `PATH.1`, of `PATH`, and of what follows when they are full. */
export class LogReader implements Disposable {
  readonly #path: string;
  readonly #chunk = Buffer.alloc(chunkBytes);
  /** What was read and is no whole line yet. */
  #rest: Buffer = Buffer.alloc(0);
  #reading: Reading | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The next whole line; undefined when none is written yet. Ask again later: it goes on from there. */
  next(): string | undefined {
    for (;;) {
      const found = this.#rest.indexOf(newline);
      const isWhole = found >= 0 && found <= lineBytesMax;
      if (isWhole || this.#rest.length >= lineBytesMax) {
        const end = isWhole ? found : lineBytesMax;
        const line = this.#rest.toString("utf8", 0, end);
        this.#rest = this.#rest.subarray(isWhole ? end + 1 : end);
        return line;
      }
      if (!this.#read()) return undefined;
    }
  }

  [Symbol.dispose](): void {
    if (this.#reading !== undefined) closeSync(this.#reading.fd);
  }

  /** False when there is no more for now. */
  #read(): boolean {
    if (this.#readChunk()) return true;
    const next = this.#open();
    if (next === undefined) return false;
    // What came between the last look and the change of files is in the old one.
    if (this.#readChunk()) {
      closeSync(next.fd);
      return true;
    }
    if (this.#reading !== undefined) closeSync(this.#reading.fd);
    this.#reading = next;
    // A file ends with a whole line, or with a part of one that found no room on the disk.
    if (this.#rest.length > 0) this.#rest = Buffer.concat([this.#rest, Buffer.of(newline)]);
    return true;
  }

  #readChunk(): boolean {
    const reading = this.#reading;
    if (reading === undefined) return false;
    if (fstatSync(reading.fd).size < reading.offset) reading.offset = 0; // emptied by hand
    const bytes = readSync(reading.fd, this.#chunk, 0, chunkBytes, reading.offset);
    reading.offset += bytes;
    this.#rest = Buffer.concat([this.#rest, this.#chunk.subarray(0, bytes)]);
    return bytes > 0;
  }

  /** The file after the one that is read, if it is there. */
  #open(): Reading | undefined {
    const [path, before] = [this.#path, `${this.#path}.1`];
    const ino = this.#reading?.ino;
    if (ino !== undefined && inoOf(path) === ino) return undefined;
    // Two may have been filled since: then the one before is unread too.
    const first = ino !== undefined && inoOf(before) === ino ? undefined : opened(before);
    return first ?? opened(path);
  }
}

const inoOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.ino;

/** Undefined also for what is no file: a pipe would be waited for, and a folder has no lines. */
function opened(path: string): Reading | undefined {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = fstatSync(fd);
    if (found.isFile()) return { fd, ino: found.ino, offset: 0 };
    closeSync(fd);
    return undefined;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
