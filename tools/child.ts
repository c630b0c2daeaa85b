// Node.js processes that a tool starts. They end with the tool and whatever they started ends with them, also
// where the tool is asked to end: what ran on would take the cores and ports of whatever comes next.
import { type ChildProcess, spawn } from "node:child_process";

export interface NodeOptions {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Hears what the process writes; without it nobody does. */
  readonly onOutput?: (text: string) => void;
}

const running = new Set<ChildProcess>();

process.on("exit", () => {
  for (const child of running) killNode(child);
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(1));

/** Its standard input closes when this process ends, even by SIGKILL. */
export function startNode({ args, env, onOutput }: NodeOptions): ChildProcess {
  const output = onOutput === undefined ? "ignore" : "pipe";
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...env },
    stdio: ["pipe", output, output],
    // A group of its own: servers that a test started are of it.
    detached: true,
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  for (const pipe of [child.stdout, child.stderr])
    pipe?.on("data", (chunk: Buffer) => onOutput?.(chunk.toString()));
  return child;
}

/** SIGKILL for the process and all that it started. */
export function killNode(child: ChildProcess): void {
  if (child.pid !== undefined && running.has(child)) process.kill(-child.pid, "SIGKILL");
}
