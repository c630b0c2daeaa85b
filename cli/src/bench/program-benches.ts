// Benches of rooms that are not part of the command itself: each is a program, which runs as a child.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text as readAll } from "node:stream/consumers";
import { failureMark } from "@voda/stdx/bench";
import { CliError, type ExitCode, exitCodes } from "../failure.ts";
import { type ProgramName, programs } from "../programs.ts";

/** What `voda bench --help` says of them; their flags are told by `voda bench NAME --help`. */
export const programBenches: readonly ProgramBench[] = [
  {
    name: "placement",
    summary: "GPUs that each policy leaves unallocated while sessions arrive",
    program: "placementBench",
  },
  {
    name: "placement-churn",
    summary: "demand that each policy rejects while sessions come and go",
    program: "placementBench",
  },
  {
    name: "placement-speed",
    summary: "time of one placement in a pool that is 92 percent full",
    program: "placementBench",
  },
  {
    name: "compute",
    summary: "kernels, memory and stealing, each in turns with what one would write without them",
    program: "computeBench",
  },
];

/** A bench of another room. */
export interface ProgramBench {
  readonly name: string;
  readonly summary: string;
  /** Takes the name of the bench as its first argument. */
  readonly program: ProgramName;
}

/** The flags of one of them, as its help shows them. */
export function flagsOf({ name, program }: ProgramBench): string {
  return execFileSync(process.execPath, [programs()[program], name, "--help"], { encoding: "utf8" });
}

/** Runs one of them and returns what it printed. @throws CliError with the child's own words */
export async function runProgramBench(
  { name, program }: ProgramBench,
  args: readonly string[],
  say: (line: string) => void,
): Promise<string> {
  const child = spawn(process.execPath, [programs()[program], name, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  using _stop = stopWith(() => child.kill("SIGKILL"));
  let failure: string | undefined;
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (line.startsWith(failureMark)) failure = line.slice(failureMark.length);
    else say(line);
  });
  const [printed, [code]] = await Promise.all([readAll(child.stdout), once(child, "close")]);
  if (code === 0) return printed.trimEnd();
  if (printed !== "") say(printed.trimEnd());
  throw new CliError(
    `bench ${name}: ${failure ?? `ended with code ${String(code)}; the lines above say why`}`,
    exitCodeOf(code),
  );
}

const exitCodeOf = (code: unknown): ExitCode =>
  code === exitCodes.usage ? exitCodes.usage : exitCodes.error;

/** The child dies with this process, however it is asked to end. */
function stopWith(stop: () => void): Disposable {
  const onSignal = (signal: NodeJS.Signals): void => {
    stop();
    process.kill(process.pid, signal);
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.once(signal, onSignal);
  return {
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}
