import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { oneLine, wordsOf } from "@voda/stdx";
import { exitCodes } from "../failure.ts";
import type { LogFile } from "./log-file.ts";
import { type Readiness, serving } from "./readiness.ts";
import { type Death, recentDeaths, restartAfter, windowMs } from "./restart.ts";
import { parseProgramLine } from "./turn-line.ts";

/** How a child is started, each time anew with the very same arguments: its ports and its data stay. */
export interface ChildSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly readiness: Readiness;
}

/** What the owner of a child hears. */
export interface ChildEvents {
  /** The process of the child is another one, or none. */
  readonly onProcess: () => void;
  /** Serves, for the first time or again. */
  readonly onReady: () => void;
  /** What people who watch should know: each end and new start, and again and again what is awaited. */
  readonly say: (words: string) => void;
  /** Will not be started again. */
  readonly onGiveUp: (error: Error) => void;
  readonly onLine: (line: string) => void;
}

/** Who waits for longer is told for what, and then again and again. */
const waitingFirstMs = 5_000;
const waitingEveryMs = 10_000;
/** A dead process may have left children that hold its pipes. */
const lastOutputMsMax = 200;
/** Characters of what it said last. */
const lastWordsMax = 300;
/** The last line with one of these words is told as the reason of an end. */
const complaint = /error|fatal|cannot|denied/i;

type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly error?: Error };

/** How one process of a child ended. */
interface Ended {
  readonly why: string;
  readonly served: boolean;
  /** It served, and somebody sent SIGKILL. */
  readonly killed: boolean;
  /** It will not have its flags or a file they name. */
  readonly refused: boolean;
}

/** A program that is started again whenever it dies, until it is stopped. */
export class Child {
  readonly name: string;
  readonly #spec: ChildSpec;
  readonly #log: LogFile;
  readonly #events: ChildEvents;
  readonly #stopping = new AbortController();
  readonly #firstReady = Promise.withResolvers<void>();
  readonly #runs: Promise<void>;
  #process: ChildProcess | undefined;
  #hasServed = false;
  #isServing = false;

  constructor(spec: ChildSpec, log: LogFile, events: ChildEvents) {
    this.name = spec.name;
    this.#spec = spec;
    this.#log = log;
    this.#events = events;
    this.#firstReady.promise.catch((error: unknown) => this.#log.write(`supervisor: ${wordsOf(error)}`));
    this.#runs = this.#run();
  }

  /** Undefined between a death and the next start. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Whether its process of now has come to serve. */
  get isServing(): boolean {
    return this.#isServing;
  }

  /** Settles when the child serves for the first time; rejects when it never will. */
  get ready(): Promise<void> {
    return this.#firstReady.promise;
  }

  /** Ends the process that runs; another one follows. */
  restart(): void {
    this.#process?.kill("SIGTERM");
  }

  /** SIGTERM, and SIGKILL for what still runs after `msMax`. Resolves when nothing runs. */
  async stop(msMax: number): Promise<void> {
    this.#stopping.abort();
    this.#firstReady.reject(new Error(`${this.name} was stopped before it was ready`));
    this.#process?.kill("SIGTERM");
    const timer = setTimeout(() => this.#process?.kill("SIGKILL"), msMax);
    await this.#runs;
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    let deaths: readonly Death[] = [];
    while (!this.#stopping.signal.aborted) {
      const death = await this.#live();
      if (this.#stopping.signal.aborted) return;
      if (death.refused) {
        this.#giveUp("refused to start", death.why);
        return;
      }
      const now = performance.now();
      deaths = recentDeaths([...deaths, { atMs: now, killed: death.killed }], now);
      const next = restartAfter(deaths);
      if (next.type === "give_up") {
        this.#giveUp(`failed ${next.failures} times in ${windowMs / 1000} s`, death.why);
        return;
      }
      if (death.served) this.#reportDeath(death);
      await this.#pause(next.delayMs);
    }
  }

  /**
   * One process, from start to death. Refused: it will not have its flags or a file they name, however often
   * it is started.
   */
  async #live(): Promise<Ended> {
    // A session of its own: Ctrl-C in the terminal reaches the supervisor only, which stops everything in
    // order.
    const child = spawn(this.#spec.command, this.#spec.args, {
      detached: true,
      stdio: ["ignore", "pipe", "pipe", this.#spec.readiness.type === "told" ? "ipc" : "ignore"],
    });
    this.#process = child;
    const exited = exitOf(child);
    // Its guard is there before it has done anything that could outlive us.
    const release = child.pid === undefined ? undefined : guard(child.pid);
    this.#events.onProcess();
    const outputs = [child.stdout, child.stderr].filter((stream) => stream !== null);
    for (const stream of outputs) this.#follow(stream);
    const life = new AbortController();
    const served = this.#served(child, life.signal);
    const exit = await exited;
    life.abort();
    // All of it before the next start: that one needs the ports, and the log in order.
    await Promise.all([served, release?.(), lastOutput(outputs)]);
    this.#process = undefined;
    this.#isServing = false;
    this.#events.onProcess();
    const why = wordsFor(exit);
    if (!this.#stopping.signal.aborted) this.#log.write(`supervisor: ${this.name} ${why}`);
    const hasServed = await served;
    return {
      why,
      served: hasServed,
      killed: hasServed && exit.signal === "SIGKILL",
      refused: !hasServed && exit.code === exitCodes.usage,
    };
  }

  /** Whether the process served before it died. However long that takes: who waits is told for what. */
  async #served(child: ChildProcess, died: AbortSignal): Promise<boolean> {
    const startedMs = performance.now();
    const report = (): void => {
      const words = `waiting for ${this.name}, which has been starting for ${Math.round((performance.now() - startedMs) / 1000)} s`;
      const last = this.#lastWords();
      this.#events.say(`${words}${last === undefined ? "" : `; it said: ${last}`}`);
      waiting = setTimeout(report, waitingEveryMs);
    };
    let waiting = setTimeout(report, waitingFirstMs);
    try {
      await serving(this.#spec.readiness, child, died);
      this.#isServing = true;
      this.#firstReady.resolve();
      if (this.#hasServed) this.#events.say(`${this.name} serves again`);
      this.#hasServed = true;
      this.#events.onReady();
      return true;
    } catch (error) {
      if (died.aborted) return false;
      throw error;
    } finally {
      clearTimeout(waiting);
    }
  }

  /** Sends a stream to the log, line by line. */
  #follow(stream: Readable): void {
    createInterface({ input: stream }).on("line", (line) => {
      this.#log.write(line);
      this.#events.onLine(line);
    });
  }

  /** A child that never served is told of when it is given up: nobody missed it yet. */
  #reportDeath({ why, killed }: Ended): void {
    const last = killed ? undefined : this.#lastWords();
    const words = last === undefined ? "" : `; it said: ${last}; see ${this.#log.path}`;
    this.#events.say(`${this.name} ${why}; starting it again${words}`);
  }

  #giveUp(what: string, why: string): void {
    const last = this.#lastWords();
    const words = last === undefined ? "" : `; it said: ${last}`;
    const error = new Error(`${this.name} ${what} (it ${why}), see ${this.#log.path}${words}`);
    this.#firstReady.reject(error);
    this.#events.onGiveUp(error);
  }

  /** Its last complaint, or else its last line. */
  #lastWords(): string | undefined {
    const said = this.#log.tail.filter((line) => line !== "" && !line.startsWith("supervisor: "));
    const last = said.findLast((line) => complaint.test(line)) ?? said.at(-1);
    return last === undefined ? undefined : oneLine(spoken(last)).slice(0, lastWordsMax);
  }

  async #pause(ms: number): Promise<void> {
    try {
      await delay(ms, undefined, { signal: this.#stopping.signal });
    } catch (error) {
      if (!this.#stopping.signal.aborted) throw error;
    }
  }
}

/** A line of JSON in its words: the message, and the error that it is about. */
function spoken(line: string): string {
  const entry = parseProgramLine(line);
  if (entry === undefined || entry.msg === "") return line;
  const { msg, err } = entry;
  return err === undefined || msg.includes(err.message) ? msg : `${msg}: ${err.message}`;
}

function exitOf(child: ChildProcess): Promise<Exit> {
  const { promise, resolve } = Promise.withResolvers<Exit>();
  child.once("exit", (code, signal) => resolve({ code, signal }));
  child.once("error", (error) => resolve({ code: null, signal: null, error }));
  return promise;
}

/** What a dead process wrote last; a grandchild that keeps the pipes open is not waited for. */
async function lastOutput(pipes: readonly Readable[]): Promise<void> {
  const drained = Promise.allSettled(pipes.map((pipe) => finished(pipe)));
  await Promise.race([drained, delay(lastOutputMsMax)]);
  for (const pipe of pipes) pipe.destroy();
}

/** As a sentence that begins with the name of the child. */
function wordsFor(exit: Exit): string {
  if (exit.error !== undefined) return `could not be started: ${exit.error.message}`;
  return exit.signal === null ? `ended with code ${exit.code}` : `was ended by ${exit.signal}`;
}

/**
 * A shell that waits for a line from this process and kills `pid` when the pipe breaks instead: the child
 * does not outlive a supervisor that was killed. The returned function releases it.
 */
function guard(pid: number): () => Promise<void> {
  const shell = spawn("sh", ["-c", 'read -r line || kill -KILL "$0"', String(pid)], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  const exited = exitOf(shell);
  shell.stdin?.on("error", () => shell.kill()); // the shell is gone: nobody is left to tell
  return async () => {
    shell.stdin?.end("\n");
    await exited;
  };
}
