// node test/src/sim/replay.ts --seed N [--without RULE]: runs one schedule again and prints what happened.
import { parseArgs } from "node:util";
import { withoutRule } from "./canaries.ts";
import { run } from "./run.ts";

const { values } = parseArgs({ options: { seed: { type: "string" }, without: { type: "string" } } });
const runIt = values.without === undefined ? run : await withoutRule(values.without);
const result = runIt({ seed: Number(values.seed) });
for (const line of result.trace) process.stdout.write(`${line}\n`);
process.stdout.write(`seed ${result.seed}, ${result.steps} steps: ${result.problem ?? "everything held"}\n`);
process.exitCode = result.problem === undefined ? 0 : 1;
