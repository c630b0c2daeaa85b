import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { waitUntil } from "./wait.ts";

export interface ProcessOptions {
  readonly command: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /**
   * Asked again and again until it is truthy; gets all that the process has written so far, and what it told
   * over IPC.
   */
  readonly ready: (output: string, told: unknown) => boolean | Promise<boolean>;
  /** Opens an IPC channel. Default: none; what is no Node.js program has no use for one. */
  readonly ipc?: true;
}

/** A child process that runs. It is not stopped by itself: use `await using`, or `stop`. */
export interface RunningProcess extends AsyncDisposable {
  readonly pid: number;
  /** Standard output and error, the last `outputCharactersMax` characters. */
  output(): string;
  /** Its last message over IPC. */
  told(): unknown;
  signal(name: NodeJS.Signals): void;
  /** Resolves with the exit code, or -1 after a signal. */
  readonly exited: Promise<number>;
  /** SIGKILL, then waits for the end. */
  kill9(): Promise<void>;
  /** SIGTERM, then SIGKILL after 5 s. */
  stop(): Promise<void>;
}

export const outputCharactersMax = 64 * 1024;
const readyMsMax = 60_000;
const stopWithinMs = 5_000;
/** From the end of a process until what it wrote last is read. */
const pipesMsMax = 2_000;
const running = new Set<ChildProcess>();

// A test that dies leaves no process behind.
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Process ids of the children that were started here and still run. */
export function runningProcesses(): number[] {
  return [...running].flatMap((child) => child.pid ?? []);
}

/** @throws when the process ends before it is ready, or never is; the message has its output. */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const child = spawn(options.command, options.args ?? [], {
    stdio: ["ignore", "pipe", "pipe", options.ipc === true ? "ipc" : "ignore"],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  running.add(child);
  const handle = own(child);
  let ended = false;
  void handle.exited.then(() => {
    ended = true;
  });
  try {
    await waitUntil(
      async () => (await options.ready(handle.output(), handle.told())) || ended,
      `${options.command} is ready`,
      readyMsMax,
    );
    if (ended) throw new Error(`${options.command} ended before it was ready`);
  } catch (cause) {
    await handle.kill9();
    throw new Error(`${options.command} did not start; it wrote:\n${handle.output()}`, { cause });
  }
  return handle;
}

function own(child: ChildProcess): RunningProcess {
  let output = "";
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString("utf8")).slice(-outputCharactersMax);
  };
  child.stdout?.on("data", keep);
  child.stderr?.on("data", keep);
  let told: unknown;
  child.on("message", (message) => {
    told = message;
  });
  const exited = ending(child, (message) => keep(Buffer.from(message)));
  const end = async (name: NodeJS.Signals): Promise<void> => {
    child.kill(name);
    const force = setTimeout(() => child.kill("SIGKILL"), stopWithinMs);
    await exited;
    clearTimeout(force);
  };
  return {
    pid: child.pid ?? -1,
    output: () => output,
    told: () => told,
    signal: (name) => void child.kill(name),
    exited,
    kill9: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
    [Symbol.asyncDispose]: () => end("SIGTERM"),
  };
}

async function ending(child: ChildProcess, note: (message: string) => void): Promise<number> {
  try {
    const exit = once(child, "exit") as Promise<[number | null]>;
    // A grandchild that was left running holds the pipes: it must not hold the test.
    const pipes = exit.then(() => delay(pipesMsMax, undefined, { ref: false }));
    const [[code]] = await Promise.all([exit, Promise.race([once(child, "close"), pipes])]);
    return code ?? -1;
  } catch (error) {
    note(String(error)); // the command does not exist
    return -1;
  } finally {
    running.delete(child);
  }
}
