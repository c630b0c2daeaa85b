// A nats-server that met a full disk refuses every write from then on, also when space is free again (its
// store keeps the error; its limit is that of its start). Only a new start mends it, so the supervisor gives
// it one once there is room.

/** What it has to do with. */
export interface StoreWatchOptions {
  /** On the file system of the store. */
  readonly freeBytes: () => number;
  /** Starts nats-server again, with a limit of now. */
  readonly restart: () => void;
  /** Undefined while there is room enough. */
  readonly fullWords: () => string | undefined;
  readonly say: (line: string) => void;
}

const stuck = /no space left on device|critical write error|file resource limits exceeded/i;
const begins = /\[INF\] Starting nats-server/;
const checkEveryMs = 1_000;
/** Room for the largest message: with less it would be stuck again at once. */
const roomBytesMin = 16 * 1024 * 1024;
/** A disk that fills up again and again must not become a server that starts again and again. */
const restartEveryMs = 30_000;
/** How full the store is changes slowly, and is looked for by reading a folder. */
const fullEveryChecks = 10;

/** Looks once a second while it is not disposed; told of each line of nats-server. */
export class StoreWatch implements Disposable {
  readonly #options: StoreWatchOptions;
  readonly #timer: NodeJS.Timeout;
  /** With so much free the server is started again; undefined while it is not stuck. */
  #freeNeeded: number | undefined;
  /** The one that was stuck has not made way for the next yet: what it says is no news. */
  #isEnding = false;
  #restartedMs = Number.NEGATIVE_INFINITY;
  #checks = 0;
  #isTold = false;

  constructor(options: StoreWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#check(), checkEveryMs);
  }

  /** A line that nats-server has written. */
  saw(line: string): void {
    if (begins.test(line)) this.#isEnding = false;
    if (this.#isEnding || this.#freeNeeded !== undefined || !stuck.test(line)) return;
    // A disk that was full for a moment has room again by now, and need not get more.
    this.#freeNeeded = Math.min(this.#options.freeBytes(), roomBytesMin) + roomBytesMin;
    this.#options.say(
      `nats-server stores nothing any more: ${line.replace(/^.*\[ERR\] /, "").slice(0, 200)}; free space on the disk of the data directory, and it is started again`,
    );
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #check(): void {
    this.#checks += 1;
    if (this.#checks % fullEveryChecks === 0) this.#reportFull();
    if (this.#freeNeeded === undefined) return;
    const now = performance.now();
    const hasRoom = this.#options.freeBytes() >= this.#freeNeeded;
    if (!hasRoom || now - this.#restartedMs < restartEveryMs) return;
    this.#freeNeeded = undefined;
    this.#restartedMs = now;
    this.#isEnding = true;
    this.#options.say(
      "there is space again: nats-server is started again, since its store stays stuck otherwise",
    );
    this.#options.restart();
  }

  #reportFull(): void {
    const words = this.#options.fullWords();
    if (words !== undefined && !this.#isTold) this.#options.say(`the store is ${words}`);
    this.#isTold = words !== undefined;
  }
}
