// The worker thread of one bundle: started again when it ends, and ended when it does not let go of a handler
// or of memory.
import { Worker } from "node:worker_threads";
import type { Agent } from "@voda/proto/api";
import { hash16 } from "@voda/proto/hash16";
import type { LogLevel } from "@voda/proto/log-line";
import { bundleLoadMsMax, type HashedPage } from "@voda/proto/wire";
import { wordsOf } from "@voda/stdx";
import type { Logger } from "pino";
import type { AgentDefinition } from "voda/definition";
import { checkAnswer, type Failed, fail, ThreadFault, type TimeLimit } from "../call/index.ts";
import { FrameError } from "../frame/index.ts";
import { createRing } from "../ring/index.ts";
import { restartDelayMs, wellMs } from "./backoff.ts";
import {
  type Begun,
  type BegunTable,
  createBegunTable,
  readBegun,
  spoiledBegun,
  synchronousCall,
} from "./begun.ts";
import { type Ends, openChannel, type ThreadChannel } from "./channel.ts";
import { definitionProblem } from "./definition-problem.ts";
import { endThread } from "./end-thread.ts";
import { type FromWorker, fromWorker, type LogEntry, type SessionMessage } from "./from-worker.ts";
import { findHolder } from "./holder.ts";
import { readDefinitions, readLoadError, readLogEntry, type ThreadHolder } from "./lines.ts";
import { StoredCheck, type StoredImage } from "./stored-check.ts";
import { heldShare, type ThreadTime, threadTime } from "./thread-time.ts";
import { type ToWorker, toWorker } from "./to-worker.ts";

/** What a new thread is given. */
export interface WorkerSetup {
  /** Path of the bundle. */
  readonly bundle: string;
  readonly node: string;
  /**
   * Beats, counted up while the event loop ticks; MiB outside of the heap at the last one; the thread's
   * number for the system.
   */
  readonly pulse: Int32Array<SharedArrayBuffer>;
  readonly begun: BegunTable;
  readonly ends: Ends;
}

/**
 * Looks without a beat in between after which a thread counts as held: looks and not time, since this process
 * may be stopped too.
 */
export const missedBeatsMax = 4;
/** Between two looks at a thread; its own beats come twice as often. */
export const pulseMs = 500;
/**
 * Code that no call waits for, such as a timer's, may hold its thread for so long; a handler for its
 * own time.
 */
export const strayHoldMsMax = 10_000;
const strayLimit: TimeLimit = { ms: strayHoldMsMax, name: "strayHoldMsMax" };
/** A thread that starts again later than that refuses sessions meanwhile; before, they wait. */
const waitMsMax = 1_000;

/** What was lost with a thread. */
export interface Loss {
  readonly activations: readonly number[];
  /** Calls whose handlers had begun. */
  readonly begun: Begun;
  /** The call whose handler held it for longer than its own time, so that it was ended. */
  readonly overdue: number | undefined;
  /** For the log: `its heap is full`. */
  readonly why: string;
}

export interface WorkerHandle {
  readonly revision: string;
  /** Why no session can be opened here now. */
  readonly refusal: Failed | undefined;
  /** The thread that the activation is in until it is closed or lost. `hear` hears what is said of it. */
  open(
    activation: number,
    image: StoredImage,
    hear: (event: SessionEvent) => void,
  ): Pick<ThreadChannel<ToWorker>, "send">;
  close(activation: number): void;
}

/** What a thread says of an activation; a snapshot comes as a whole. */
export type SessionEvent =
  | Exclude<SessionMessage, { readonly type: "cut" | "cut_page" }>
  | {
      readonly type: "cut";
      readonly activation: number;
      readonly after: number;
      readonly pages: readonly HashedPage[];
    };

interface Seat {
  readonly hear: (event: SessionEvent) => void;
  /** Refuses what would not load again. */
  readonly stored: StoredCheck;
  /** Pages of a snapshot that is on its way. */
  pages: HashedPage[];
}

export interface BundleWorkerOptions {
  readonly log: Logger;
  /** Id of this node: whose log has what a caller is not told. */
  readonly node: string;
  /** What the heap of one thread may take, and as much again what lies outside of it, in MiB. */
  readonly heapMib: number;
  /** The thread is gone, and these with it. */
  readonly onLost: (loss: Loss) => void;
  /** How long the handler of a call may hold the thread. `undefined` where nobody waits for it any more. */
  readonly holdLimit: (call: number) => TimeLimit | undefined;
}

export class BundleWorker implements WorkerHandle, AsyncDisposable {
  readonly key: string;
  readonly revision: string;
  readonly #seats = new Map<number, Seat>();
  readonly #options: BundleWorkerOptions;
  readonly #log: Logger;
  readonly #bundle: string;
  /** Whose names lines get that no call says: those of the bundle, once it has told them. */
  #agents: string;
  #life: Life;
  /** Before it has, whoever opened it hears why it does not. */
  #hasLoaded = false;
  #deaths = 0;
  #refusal: Failed | undefined;
  #restarting: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(key: string, agent: Agent, bundle: string, options: BundleWorkerOptions) {
    this.key = key;
    this.revision = agent.revision;
    this.#agents = agent.name;
    this.#bundle = bundle;
    this.#options = options;
    this.#log = options.log.child({ revision: agent.revision });
    this.#life = this.#newLife();
    this.#start();
  }

  /** Resolves when the bundle has loaded; rejects when it did not at its last start. */
  get ready(): Promise<readonly AgentDefinition[]> {
    return this.#life.loaded.promise;
  }

  get refusal(): Failed | undefined {
    return this.#refusal;
  }

  /** Why this bundle cannot run the agent; `undefined` when it can. */
  async problemOf(agent: Agent): Promise<string | undefined> {
    return definitionProblem(agent, await this.ready);
  }

  get activations(): Iterable<number> {
    return this.#seats.keys();
  }

  get isEmpty(): boolean {
    return this.#seats.size === 0;
  }

  open(activation: number, image: StoredImage, hear: Seat["hear"]): ThreadChannel<ToWorker> {
    this.#seats.set(activation, { hear, stored: new StoredCheck(image), pages: [] });
    return this.#life.channel;
  }

  close(activation: number): void {
    if (this.#seats.delete(activation)) this.#life.channel.send({ type: "close", activation });
  }

  /**
   * Finds out who holds a thread that does not beat, and ends it in time: nothing less stops an endless loop.
   */
  checkPulse(): void {
    const life = this.#life;
    const beats = Atomics.load(life.pulse, 0);
    const externalMib = Atomics.load(life.pulse, 1);
    const call = synchronousCall(life.begun);
    const isHeld = beats === life.beats;
    const time = isHeld ? threadTime(Atomics.load(life.pulse, 2)) : undefined;
    // handlers that follow each other without a beat in between hold it one by one, each for its own time
    life.missed = isHeld && call === life.call ? life.missed + heldShare(life.time, time, pulseMs) : 0;
    life.time = time;
    life.beats = beats;
    life.call = call;
    // What ended before the thread was held need not wait for its end.
    if (life.missed > 0) life.channel.takeRest();
    if (!life.isLoaded || life.why !== undefined) return;
    const { heapMib } = this.#options;
    if (externalMib > heapMib)
      this.#end(life, `${externalMib} MiB outside of its heap exceed heapMib ${heapMib}`);
    else if (life.missed >= missedBeatsMax) void this.#judgeHeld(life);
    else life.holder = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#restarting);
    this.#life.channel[Symbol.dispose]();
    const { thread } = this.#life;
    if (thread !== undefined) await endThread(thread);
  }

  /** The channel is there before the thread: what is sent meanwhile waits in it. */
  #newLife(): Life {
    const { port1, port2 } = new MessageChannel();
    const [input, output] = [createRing(), createRing()];
    const life: Life = {
      channel: openChannel<ToWorker, FromWorker>(
        { input: output, output: input, port: port1 },
        {
          encode: toWorker.encode,
          decode: fromWorker.decode,
          onMessage: (message) => this.#receive(life, message),
          onBroken: (error) => this.#unreadable(life, error),
        },
      ),
      ends: { input, output, port: port2 },
      pulse: new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT)),
      begun: createBegunTable(),
      loaded: Promise.withResolvers(),
      thread: undefined,
      startedMs: performance.now(),
      isLoaded: false,
      spoiled: undefined,
      early: [],
      beats: 0,
      call: 0,
      missed: 0,
      time: undefined,
      holder: undefined,
      overdue: undefined,
      why: undefined,
    };
    return life;
  }

  #start(): void {
    const life = this.#life;
    const { ends, pulse, begun } = life;
    const setup: WorkerSetup = { bundle: this.#bundle, node: this.#options.node, pulse, begun, ends };
    const thread = new Worker(new URL("../worker/worker.ts", import.meta.url), {
      workerData: setup,
      transferList: [ends.port],
      name: `bundle ${this.revision.slice(0, 12)}`,
      resourceLimits: { maxOldGenerationSizeMb: this.#options.heapMib },
      stdout: true,
      stderr: true,
    });
    life.thread = thread;
    life.startedMs = performance.now();
    const timer = setTimeout(
      () => this.#end(life, `the bundle did not load in bundleLoadMsMax ${bundleLoadMsMax} ms`),
      bundleLoadMsMax,
    );
    life.loaded.promise.then(
      () => clearTimeout(timer),
      () => clearTimeout(timer),
    );
    // What does not pass by the worker's own streams: Node's last words, a library of native code.
    for (const stream of [thread.stdout, thread.stderr])
      stream.on("data", (chunk: Buffer) => this.#say("warn", chunk.toString().trimEnd()));
    thread.on("error", (error: unknown) => {
      const isFull = error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
      life.why ??= isFull ? `its heap of heapMib ${this.#options.heapMib} is full` : wordsOf(error);
    });
    thread.once("exit", (code) => this.#exited(life, code));
  }

  #end(life: Life, why: string): void {
    life.why ??= why;
    if (life.thread !== undefined) void endThread(life.thread);
  }

  /** An agent's code may have replaced what the thread writes with: nothing that it says counts any more. */
  #unreadable(life: Life, error: unknown): void {
    life.spoiled ??= spoiledBegun(life.begun);
    this.#end(life, `what it wrote cannot be read (${wordsOf(error)}): a builtin may have been replaced`);
  }

  #receive(life: Life, message: FromWorker): void {
    if (life.spoiled !== undefined) return;
    try {
      if ("answer" in message) checkAnswer(message.answer); // kept and passed on: damage must end here
      this.#take(life, message);
    } catch (error) {
      if (![FrameError, SyntaxError, ThreadFault].some((one) => error instanceof one)) throw error;
      this.#unreadable(life, error);
    }
  }

  #take(life: Life, message: FromWorker): void {
    if (message.type === "log") {
      const entry = readLogEntry(message.line);
      if (life.isLoaded) this.#write(message.level, entry);
      else life.early.push([message.level, entry]);
    } else if (message.type === "loaded") {
      this.#loaded(life, readDefinitions(message.line));
    } else if (message.type === "not_loaded") {
      life.why = readLoadError(message.line);
    } else {
      this.#hear(message);
    }
  }

  #hear(message: SessionMessage): void {
    const seat = this.#seats.get(message.activation);
    if (seat === undefined) return; // it was closed meanwhile
    if (message.type === "cut_page") {
      // one at a time, as they come: 32 MiB at once would hold all sessions of the node up
      seat.stored.page(message.bytes);
      seat.pages.push({ bytes: message.bytes, hash: hash16(message.bytes) });
    } else if (message.type === "cut") {
      const { pages } = seat;
      seat.pages = [];
      seat.stored.snapshot(pages.map(({ bytes }) => bytes));
      seat.hear({ ...message, pages });
    } else {
      if (message.type === "turned") seat.stored.delta(message.delta);
      seat.hear(message);
    }
  }

  #loaded(life: Life, definitions: readonly AgentDefinition[]): void {
    life.missed = 0;
    life.isLoaded = true;
    this.#hasLoaded = true;
    this.#agents = definitions.map(({ name }) => name).join(", ");
    this.#refusal = undefined;
    this.#flush(life);
    life.loaded.resolve(definitions);
  }

  /** What was said while the bundle was loaded is told when it has told its agents' names, or has failed. */
  #flush(life: Life): void {
    for (const [level, entry] of life.early.splice(0)) this.#write(level, entry);
  }

  #write(level: LogLevel, { speaker, message, facts, fields }: LogEntry): void {
    this.#log[level]({ agent: this.#agents, ...speaker, ...facts, ...(fields && { fields }) }, message);
  }

  #say(level: LogLevel, message: string): void {
    if (message !== "") this.#log[level]({ agent: this.#agents }, message);
  }

  async #judgeHeld(life: Life): Promise<void> {
    const { thread, begun } = life;
    if (thread === undefined) return;
    if (life.holder === undefined) {
      life.holder = "asked";
      const call = readBegun(begun).holder;
      const fallback: ThreadHolder = { speaker: call === undefined ? {} : { call } };
      // One that does not say so stands in a long call of Node's own: then the call is known while it is
      // synchronous.
      const found = (await this.#holderOf(thread)) ?? fallback;
      life.holder = found;
      const heldMs = Math.round(life.missed * pulseMs);
      const { speaker, at } = found;
      // A thread that was let go answers from its next beat on: nobody holds it.
      if (life.missed >= missedBeatsMax && Atomics.load(life.pulse, 0) === life.beats)
        this.#log.warn({ agent: this.#agents, ...speaker, at, heldMs }, "a handler holds its thread");
    }
    const { holder } = life;
    if (holder === undefined || holder === "asked") return;
    if (life.missed < missedBeatsMax || life.why !== undefined) return;
    if (Atomics.load(life.pulse, 0) !== life.beats) return;
    const { speaker, at } = holder;
    const heldMs = Math.round(life.missed * pulseMs);
    const ofCall = speaker.call === undefined ? undefined : this.#options.holdLimit(speaker.call);
    const { ms, name } = ofCall ?? strayLimit;
    if (heldMs < ms) return;
    const limit = `${name} ${ms} ms`;
    life.overdue = ofCall === undefined ? undefined : speaker.call;
    this.#log.error(
      { agent: this.#agents, ...speaker, at, heldMs },
      `a handler holds its thread for longer than ${limit}: the thread is ended`,
    );
    this.#end(life, `it was held for longer than ${limit}`);
  }

  async #holderOf(thread: Worker): Promise<ThreadHolder | undefined> {
    try {
      return await findHolder(thread);
    } catch (err) {
      this.#log.warn({ err, agent: this.#agents }, "who holds the thread cannot be asked");
      return undefined;
    }
  }

  /**
   * What the thread said is heard first, all of it; then its sessions are lost, and open again in the next
   * one.
   */
  #exited(life: Life, code: number): void {
    if (this.#closed) return;
    life.channel.takeRest();
    life.channel[Symbol.dispose]();
    this.#flush(life);
    const why = life.why ?? `it ended with code ${code}`;
    life.loaded.reject(new Error(why));
    this.#deaths = performance.now() - life.startedMs >= wellMs ? 1 : this.#deaths + 1;
    const delayMs = restartDelayMs(this.#deaths);
    const facts = { agent: this.#agents, code, sessions: this.#seats.size, retryInMs: delayMs };
    if (this.#hasLoaded) this.#log.error(facts, `the thread ended: ${why}`);
    if (delayMs > waitMsMax || !life.isLoaded)
      this.#refusal = fail("worker_lost", `the code of ${this.#agents} does not run: ${why}`, {
        retryAfterMs: Math.max(delayMs, waitMsMax),
      });
    const lost = [...this.#seats.keys()];
    this.#seats.clear();
    this.#life = this.#newLife();
    this.#restarting = setTimeout(() => this.#start(), delayMs);
    const begun = life.spoiled ?? readBegun(life.begun);
    this.#options.onLost({ activations: lost, begun, overdue: life.overdue, why });
  }
}

/** One thread of the bundle, and what is kept beside it. */
interface Life {
  readonly channel: ThreadChannel<ToWorker>;
  readonly ends: Ends;
  readonly pulse: Int32Array<SharedArrayBuffer>;
  readonly begun: BegunTable;
  readonly loaded: PromiseWithResolvers<readonly AgentDefinition[]>;
  /** `undefined` while it waits to be started. */
  thread: Worker | undefined;
  startedMs: number;
  isLoaded: boolean;
  /** Of one that wrote what cannot be read. */
  spoiled: Begun | undefined;
  /** Lines from before it was loaded. */
  readonly early: [LogLevel, LogEntry][];
  beats: number;
  /** Whose handler held it at the last look. */
  call: number;
  missed: number;
  /** At the last look that was without a beat. */
  time: ThreadTime | undefined;
  /** Who holds it. */
  holder: ThreadHolder | "asked" | undefined;
  overdue: number | undefined;
  /** Why it ends. */
  why: string | undefined;
}
