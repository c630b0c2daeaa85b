// The process in which tests run, with a break or without.
import { once } from "node:events";
import { resolve } from "node:path";
import type { Patch } from "../../test/src/patch/patch.ts";
import { killNode, startNode } from "../child.ts";
import type { Mutant } from "./sites.ts";

export type Outcome = "killed" | "survived" | "timeout";

export interface TestRun {
  readonly tests: readonly string[];
  readonly patch?: Patch;
  readonly timeoutMs: number;
  /** A file for the addresses of all modules that are loaded. */
  readonly loaded?: string;
}

/** Where everything is kept that a run leaves behind. */
export const home = ".voda/mutants";
const simSchedules = 400;
const patchFailed = 3;

/** The piece with as much around it as makes it the only one of its file. */
export function patchOf({ file, start, end, replace }: Mutant, text: string): Patch {
  let [from, to] = [start, end];
  while (text.indexOf(text.slice(from, to)) !== text.lastIndexOf(text.slice(from, to))) {
    from = Math.max(0, from - 8);
    to = Math.min(text.length, to + 8);
  }
  const find = text.slice(from, to);
  return { file, find, replace: text.slice(from, start) + replace + text.slice(end, to) };
}

/** @throws when the break could not be put in place */
export async function runTests({ tests, patch, timeoutMs, loaded }: TestRun): Promise<{
  readonly outcome: Outcome;
  readonly output: string;
}> {
  // Worker threads import it too: without it a break of what they run would change nothing.
  const args = ["--import", "./tools/mutants/break.ts", "tools/mutants/one.ts", JSON.stringify(tests)];
  let output = "";
  const child = startNode({
    args,
    env: {
      SIM_SCHEDULES: String(simSchedules),
      MUTANT: patch === undefined ? "" : JSON.stringify(patch),
      // Loading takes half of the time of the tests that kill most.
      NODE_COMPILE_CACHE: resolve(home, "compiled"),
      MUTANT_LOADED: loaded ?? "",
    },
    onOutput: (text) => {
      output = (output + text).slice(-2_000);
    },
  });
  const timer = setTimeout(() => killNode(child), timeoutMs);
  const [code, signal] = await once(child, "close");
  clearTimeout(timer);
  if (code === patchFailed) throw new Error(`the sources changed meanwhile: ${output}`);
  return { outcome: signal === "SIGKILL" ? "timeout" : code === 0 ? "survived" : "killed", output };
}
