// The worker thread of one bundle: started again when it dies, and ended when it does not let go of a handler.
import { MessageChannel, Worker } from "node:worker_threads";
import type { Agent } from "@voda/proto/api";
import type { Logger } from "pino";
import { createRing } from "../ring/index.ts";
import { type Channel, type Ends, openChannel } from "./channel.ts";
import { type FromWorker, fromWorker, type LogEntry } from "./from-worker.ts";
import { type ToWorker, toWorker } from "./to-worker.ts";

/** What a new thread is given. */
export interface WorkerSetup {
  /** Path of the bundle. */
  readonly bundle: string;
  /** One number, counted up while the event loop turns. */
  readonly pulse: Int32Array<SharedArrayBuffer>;
  readonly ends: Ends;
}

/** A bundle that does not load in this time is refused. */
export const bundleLoadMsMax = 10_000;
/** Looks without a beat in between after which a thread counts as held: looks and not time, since this process may be stopped too. */
export const missedBeatsMax = 4;
/** Between two looks at a thread; its own beats come twice as often. */
export const pulseMs = 500;
const restartDelayMs = 200;

export interface WorkerHandle {
  readonly revision: string;
  send(message: ToWorker): void;
  open(activation: number): void;
  close(activation: number): void;
}

export interface BundleWorkerOptions {
  readonly log: Logger;
  readonly onMessage: (message: Exclude<FromWorker, { type: "log" }>) => void;
  /** The thread is gone, and these with it. */
  readonly onLost: (activations: readonly number[]) => void;
  /** Fails the calls of these activations that are older than their maxTurn; how many there were. */
  readonly failOverdue: (activations: ReadonlySet<number>) => number;
}

export class BundleWorker implements WorkerHandle, AsyncDisposable {
  readonly key: string;
  readonly revision: string;
  readonly activations = new Set<number>();
  readonly #options: BundleWorkerOptions;
  readonly #setup: Omit<WorkerSetup, "ends">;
  /** Counted up by the thread. */
  readonly #pulse: Int32Array<SharedArrayBuffer>;
  #beats = 0;
  #missed = 0;
  #thread: Worker;
  #channel: Channel<ToWorker>;
  #ready: Promise<void>;
  #isLoaded = false;
  #restarting: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(key: string, agent: Agent, bundle: string, options: BundleWorkerOptions) {
    this.key = key;
    this.revision = agent.revision;
    this.#options = options;
    this.#pulse = new Int32Array(new SharedArrayBuffer(4));
    this.#setup = { bundle, pulse: this.#pulse };
    [this.#thread, this.#channel, this.#ready] = this.#start();
  }

  get ready(): Promise<void> {
    return this.#ready;
  }

  send(message: ToWorker): void {
    this.#channel.send(message);
  }

  open(activation: number): void {
    this.activations.add(activation);
  }

  close(activation: number): void {
    this.activations.delete(activation);
    this.#channel.send({ type: "close", activation });
  }

  /** Ends a thread that does not beat while a call is overdue: nothing less stops an endless loop. */
  look(): void {
    const beats = Atomics.load(this.#pulse, 0);
    this.#missed = beats === this.#beats ? this.#missed + 1 : 0;
    this.#beats = beats;
    if (!this.#isLoaded || this.#missed < missedBeatsMax) return;
    const failed = this.#options.failOverdue(this.activations);
    if (failed === 0) return;
    this.#options.log.error(
      { revision: this.revision, failed },
      "a handler holds its thread for longer than maxTurn",
    );
    this.#isLoaded = false;
    void this.#thread.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#restarting);
    this.#channel[Symbol.dispose]();
    await this.#thread.terminate();
  }

  #start(): [Worker, Channel<ToWorker>, Promise<void>] {
    const { port1, port2 } = new MessageChannel();
    const [input, output] = [createRing(), createRing()];
    const workerData: WorkerSetup = {
      ...this.#setup,
      ends: { input, output, port: port2 },
    };
    const thread = new Worker(new URL("../worker/worker.ts", import.meta.url), {
      workerData,
      transferList: [port2],
      name: `bundle ${this.revision.slice(0, 12)}`,
    });
    const channel = openChannel<ToWorker, FromWorker>(
      { input: output, output: input, port: port1 },
      { encode: toWorker.encode, decode: fromWorker.decode, onMessage: (message) => this.#receive(message) },
    );
    thread.on("error", (err) => this.#options.log.error({ err, revision: this.revision }, "worker failed"));
    thread.once("exit", (code) => this.#exited(thread, code));
    return [thread, channel, this.#loaded(thread)];
  }

  /** Rejects when the bundle does not load. */
  #loaded(thread: Worker): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      reject(new Error(`the bundle did not load in bundleLoadMsMax ${bundleLoadMsMax} ms`));
      void thread.terminate();
    }, bundleLoadMsMax);
    thread.once("message", () => {
      clearTimeout(timer);
      this.#missed = 0;
      this.#isLoaded = true;
      resolve();
    });
    thread.once("error", reject);
    thread.once("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`the worker ended with ${code} before it was ready`));
    });
    return promise;
  }

  #receive(message: FromWorker): void {
    if (message.type !== "log") {
      this.#options.onMessage(message);
      return;
    }
    const { fields, message: text, ...context } = JSON.parse(message.line) as LogEntry;
    this.#options.log[message.level]({ ...fields, ...context }, text);
  }

  /** What is sent until the thread runs again is lost with the activations that it was for. */
  #exited(thread: Worker, code: number): void {
    if (this.#closed || thread !== this.#thread) return;
    const { log } = this.#options;
    log.error(
      { code, revision: this.revision, sessions: this.activations.size },
      "worker ended; starting it again",
    );
    this.#isLoaded = false;
    this.#channel[Symbol.dispose]();
    this.#restarting = setTimeout(() => {
      const lost = [...this.activations];
      this.activations.clear();
      [this.#thread, this.#channel, this.#ready] = this.#start();
      this.#ready.catch((err: unknown) => log.error({ err, revision: this.revision }, "worker not ready"));
      this.#options.onLost(lost);
    }, restartDelayMs);
  }
}
