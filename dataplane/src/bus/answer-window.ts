// Answers on their way to one peer: so many bytes until it says that it has taken them, for what a peer does
// not read waits in the server, which cuts a client that is 64 MiB behind, and all that its node has there.
import type { FrameFields } from "../frame/index.ts";
import { fieldsLength } from "./batch.ts";

/** Bytes of answers on their way to one peer: it may have as many from sixteen nodes at once. */
export const answersAwayBytesMax = 4 * 1024 * 1024;
/** A peer says that it has taken so many bytes: well before nothing more may leave. */
export const answersToldBytes = answersAwayBytesMax / 4;
/** Bytes of answers to one peer that wait here: further ones are refused, and calls at half of it. */
export const answersWaitBytesMax = 32 * 1024 * 1024;
/** A peer that says nothing for so long has lost what was on its way, or will lose its lease. */
export const answersPatienceMs = 1_000;

/** Closing it drops what waits. */
export class AnswerWindow implements Disposable {
  readonly #send: (answer: FrameFields) => void;
  #awayBytes = 0;
  #waiting: FrameFields[] = [];
  #waitingBytes = 0;
  #patience: NodeJS.Timeout | undefined;
  #isHeld = false;

  constructor(send: (answer: FrameFields) => void) {
    this.#send = send;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Whether calls of the peer must not begin: their answers would have no room. */
  get isBusy(): boolean {
    return this.#waitingBytes > answersWaitBytesMax / 2;
  }

  hasRoom(answer: FrameFields): boolean {
    return this.#waitingBytes + fieldsLength(answer) <= answersWaitBytesMax;
  }

  /** Now, or in its order when there is room. */
  push(answer: FrameFields): void {
    if (this.#waiting.length === 0 && this.#leave(answer)) return;
    this.#waiting.push(answer);
    this.#waitingBytes += fieldsLength(answer);
    this.#await();
  }

  /** The connection is lost, and with it what was on its way; or it is there again, for what waits. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.taken(this.#awayBytes);
  }

  /** All that waits leaves now: nobody is there later to send it. */
  leaveAll(): void {
    for (const answer of this.#waiting) this.#send(answer);
    this[Symbol.dispose]();
  }

  taken(bytes: number): void {
    this.#awayBytes = Math.max(0, this.#awayBytes - bytes);
    clearTimeout(this.#patience);
    this.#patience = undefined;
    let next = 0;
    for (const answer of this.#waiting) {
      if (!this.#leave(answer)) break;
      this.#waitingBytes -= fieldsLength(answer);
      next += 1;
    }
    this.#waiting.splice(0, next);
    this.#await();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#awayBytes = 0;
  }

  #await(): void {
    if (this.#waiting.length === 0 || this.#isHeld) return;
    this.#patience ??= setTimeout(() => this.taken(this.#awayBytes), answersPatienceMs);
  }

  /** While less is away than its peer tells of the next one leaves, however large: nothing else lets it. */
  #leave(answer: FrameFields): boolean {
    if (this.#isHeld) return false;
    const bytes = fieldsLength(answer);
    if (this.#awayBytes >= answersToldBytes && this.#awayBytes + bytes > answersAwayBytesMax) return false;
    this.#awayBytes += bytes;
    this.#send(answer);
    return true;
  }
}
