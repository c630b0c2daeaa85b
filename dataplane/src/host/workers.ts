// The worker threads of a node: one per bundle that has sessions or is current.
import { MessageChannel, Worker } from "node:worker_threads";
import type { Agent } from "@voda/proto/api";
import type { SessionName } from "@voda/proto/session";
import type { Logger } from "pino";
import { createRing } from "../ring/index.ts";
import { type Channel, openChannel } from "./channel.ts";
import { type FromWorker, type LogEntry, readFromWorker, type ToWorker, toWorkerFrame } from "./messages.ts";
import type { WorkerSetup } from "./worker.ts";

/** A bundle that does not load in this time is refused. */
export const bundleLoadMsMax = 10_000;
const restartDelayMs = 200;

export interface WorkerHandle {
  readonly revision: string;
  send(message: ToWorker): void;
  open(activation: number): void;
  close(activation: number): void;
}

export interface WorkersOptions {
  readonly log: Logger;
  readonly onMessage: (message: Exclude<FromWorker, { type: "log" }>) => void;
  readonly onLost: (activations: Iterable<number>) => void;
  /** Sessions of these activations should move to the bundle that is current now. */
  readonly onRetire: (activations: Iterable<number>) => Promise<unknown>;
}

export interface Workers extends AsyncDisposable {
  /** The worker that runs the current revision of the session's agent. */
  of(name: SessionName): WorkerHandle | undefined;
  agent(namespace: string, name: string): Agent | undefined;
  /** Starts the bundle unless it runs, makes it current for the agent, and moves the sessions of the bundle before it. */
  deploy(agent: Agent, bundle: string): Promise<void>;
}

interface Deployed {
  readonly agent: Agent;
  readonly worker: BundleWorker;
}

export function openWorkers(options: WorkersOptions): Workers {
  const deployed = new Map<string, Deployed>();
  const workers = new Map<string, BundleWorker>();
  const idOf = (namespace: string, name: string): string => `${namespace}/${name}`;

  const closeUnused = async (worker: BundleWorker): Promise<void> => {
    const isCurrent = [...deployed.values()].some((one) => one.worker === worker);
    if (isCurrent) return;
    await options.onRetire(worker.activations);
    workers.delete(worker.key);
    await worker[Symbol.asyncDispose]();
  };

  return {
    of: (name) => deployed.get(idOf(name.namespace, name.agent))?.worker,
    agent: (namespace, name) => deployed.get(idOf(namespace, name))?.agent,
    async deploy(agent, bundle) {
      const key = `${agent.namespace}/${agent.revision}`;
      const id = idOf(agent.namespace, agent.name);
      let worker = workers.get(key);
      if (worker === undefined) {
        worker = new BundleWorker(key, agent, bundle, options);
        workers.set(key, worker);
      }
      try {
        await worker.ready;
      } catch (error) {
        workers.delete(key);
        await worker[Symbol.asyncDispose]();
        throw error;
      }
      const before = deployed.get(id)?.worker;
      deployed.set(id, { agent, worker });
      if (before !== undefined && before !== worker) {
        closeUnused(before).catch((err: unknown) =>
          options.log.error({ err, revision: before.revision }, "old revision not closed"),
        );
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...workers.values()].map((worker) => worker[Symbol.asyncDispose]()));
    },
  };
}

/** One thread, started again when it dies; its sessions are loaded anew then. */
class BundleWorker implements WorkerHandle, AsyncDisposable {
  readonly key: string;
  readonly revision: string;
  readonly activations = new Set<number>();
  readonly #options: WorkersOptions;
  readonly #setup: Omit<WorkerSetup, "ends">;
  #thread: Worker;
  #channel: Channel<ToWorker>;
  #ready: Promise<void>;
  #closed = false;

  constructor(key: string, agent: Agent, bundle: string, options: WorkersOptions) {
    this.key = key;
    this.revision = agent.revision;
    this.#options = options;
    this.#setup = { namespace: agent.namespace, bundle };
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

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#channel[Symbol.dispose]();
    await this.#thread.terminate();
  }

  #start(): [Worker, Channel<ToWorker>, Promise<void>] {
    const { port1, port2 } = new MessageChannel();
    const [toWorker, fromWorker] = [createRing(), createRing()];
    const workerData: WorkerSetup = { ...this.#setup, ends: { input: toWorker, output: fromWorker, port: port2 } };
    const thread = new Worker(new URL("./worker.ts", import.meta.url), {
      workerData,
      transferList: [port2],
      name: `bundle ${this.revision.slice(0, 12)}`,
    });
    const channel = openChannel<ToWorker, FromWorker>(
      { input: fromWorker, output: toWorker, port: port1 },
      { encode: toWorkerFrame, decode: readFromWorker, onMessage: (message) => this.#receive(message) },
    );
    const ready = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`the bundle did not load in bundleLoadMsMax ${bundleLoadMsMax} ms`));
        void thread.terminate();
      }, bundleLoadMsMax);
      thread.once("message", () => {
        clearTimeout(timer);
        resolve();
      });
      thread.once("error", reject);
      thread.once("exit", (code) => {
        clearTimeout(timer);
        reject(new Error(`the worker ended with ${code} before it was ready`));
        this.#exited(thread, code);
      });
    });
    thread.on("error", (err) => this.#options.log.error({ err, revision: this.revision }, "worker failed"));
    return [thread, channel, ready];
  }

  #receive(message: FromWorker): void {
    if (message.type !== "log") {
      this.#options.onMessage(message);
      return;
    }
    const { agent, key, message: text, fields } = JSON.parse(message.line) as LogEntry;
    this.#options.log[message.level]({ ...fields, agent, key }, text);
  }

  #exited(thread: Worker, code: number): void {
    if (this.#closed || thread !== this.#thread) return;
    this.#options.log.error(
      { code, revision: this.revision, sessions: this.activations.size },
      "worker ended; starting it again",
    );
    this.#channel[Symbol.dispose]();
    setTimeout(() => {
      if (this.#closed) return;
      const lost = [...this.activations];
      this.activations.clear();
      [this.#thread, this.#channel, this.#ready] = this.#start();
      this.#ready.catch((err: unknown) => this.#options.log.error({ err, revision: this.revision }, "worker not ready"));
      this.#options.onLost(lost);
    }, restartDelayMs);
  }
}
