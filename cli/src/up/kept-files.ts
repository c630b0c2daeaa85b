import { wordsOf } from "@voda/stdx";
import { replaceFile } from "@voda/stdx/replace-file";

const retryEveryMs = 1_000;

/**
 * The files of something that runs: a full disk must not end it, so that what cannot be written is tried
 * again until it can, or until it is replaced. Until then readers see the content before.
 */
export class KeptFiles implements Disposable {
  readonly #waiting = new Map<string, string>();
  readonly #say: (line: string) => void;
  readonly #timer: NodeJS.Timeout;

  constructor(say: (line: string) => void) {
    this.#say = say;
    this.#timer = setInterval(() => {
      for (const [path, content] of this.#waiting) this.#write(path, content);
    }, retryEveryMs);
  }

  replace(path: string, content: string): void {
    this.#write(path, content);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #write(path: string, content: string): void {
    try {
      replaceFile(path, content);
      this.#waiting.delete(path);
    } catch (error) {
      if (!this.#waiting.has(path))
        this.#say(`${path} cannot be written and is tried again: ${wordsOf(error)}`);
      this.#waiting.set(path, content);
    }
  }
}
