import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** Of one file; a child has two, so that a crash loop cannot fill the disk. */
const logBytesMax = 10 * 1024 * 1024;
const tailLinesMax = 20;

/** The log of one child: appended, at most two files of `logBytesMax`; the last lines stay in memory. */
export class LogFile implements Disposable {
  readonly path: string;
  readonly #bytesMax: number;
  #fd: number;
  #bytes: number;
  #tail: string[] = [];

  constructor(path: string, bytesMax = logBytesMax) {
    mkdirSync(dirname(path), { recursive: true });
    this.path = path;
    this.#bytesMax = bytesMax;
    this.#fd = openSync(path, "a");
    this.#bytes = fstatSync(this.#fd).size;
  }

  /** The newest lines, oldest first. */
  get tail(): readonly string[] {
    return this.#tail;
  }

  write(line: string): void {
    const bytes = Buffer.from(`${line}\n`);
    if (this.#bytes > 0 && this.#bytes + bytes.length > this.#bytesMax) this.#rotate();
    writeSync(this.#fd, bytes);
    this.#bytes += bytes.length;
    this.#tail.push(line);
    if (this.#tail.length > tailLinesMax) this.#tail.shift();
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #rotate(): void {
    closeSync(this.#fd);
    renameSync(this.path, `${this.path}.1`);
    this.#fd = openSync(this.path, "a");
    this.#bytes = 0;
  }
}
