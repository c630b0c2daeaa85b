import { closeSync, existsSync, fstatSync, openSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { makeFolder } from "@voda/stdx/make-folder";

/** Of one file; a child has two, so that a crash loop cannot fill the disk. */
const logBytesMax = 10 * 1024 * 1024;
const tailLinesMax = 20;
/** Agents log what their callers send: for nobody else to read, whatever the umask is. */
const ownerOnly = 0o600;

/** The log of one child: appended, at most two files of `logBytesMax`; the last lines stay in memory. */
export class LogFile implements Disposable {
  readonly path: string;
  #fd: number;
  #bytes: number;
  #tail: string[] = [];
  /** Lines since the disk took none. */
  #lost = 0;

  constructor(path: string) {
    makeFolder(dirname(path), 0o700);
    this.path = path;
    this.#fd = openSync(path, "a", ownerOnly);
    this.#bytes = fstatSync(this.#fd).size;
  }

  /** The newest lines, oldest first. */
  get tail(): readonly string[] {
    return this.#tail;
  }

  /**
   * Never fails: a full disk must not end the supervisor, and with it all that it runs. The file tells how
   * many lines it lacks as soon as it takes one again.
   */
  write(line: string): void {
    this.#tail.push(line);
    if (this.#tail.length > tailLinesMax) this.#tail.shift();
    // What was lost may have been written in part: the note begins on a line of its own.
    const note = this.#lost === 0 ? "" : `\nsupervisor: ${this.#lost} lines before could not be written\n`;
    try {
      this.#append(Buffer.from(`${note}${line}\n`));
      this.#lost = 0;
    } catch {
      this.#lost += 1;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #append(bytes: Buffer): void {
    if (this.#bytes > 0 && this.#bytes + bytes.length > logBytesMax) this.#rotate();
    writeFileSync(this.#fd, bytes); // all of it, where writeSync may write a part
    this.#bytes += bytes.length;
  }

  /** Each step may fail on a full disk, and the next line tries again: it is past none that is missing. */
  #rotate(): void {
    if (existsSync(this.path)) renameSync(this.path, `${this.path}.1`);
    const fresh = openSync(this.path, "a", ownerOnly);
    closeSync(this.#fd);
    this.#fd = fresh;
    this.#bytes = 0;
  }
}
