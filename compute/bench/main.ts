// The bench of this room: node compute/bench/main.ts compute --job axpy --json
import { parseArgs } from "node:util";
import { jobs } from "./jobs.ts";

const roundsDefault = 31;
const roundsMax = 10_000;
const help = [
  "Flags:",
  `  --job <text>    ${Object.keys(jobs).join(", ")} (must be given)`,
  `  --rounds <n>    rounds in which all that is compared runs once (default: ${roundsDefault})`,
  "  --device <text> cpu-wasm, the only one there is (default: cpu-wasm)",
  "  --json          one line",
].join("\n");

/**
 * The user's mistake, which ends the program: nothing has been started yet.
 * `voda bench` finds it among the lines by its first word.
 */
function refuse(words: string): never {
  console.error(`error: ${words}`);
  process.exit(2);
}

function readFlags(args: readonly string[]): ReturnType<typeof parse> {
  try {
    return parse(args);
  } catch (error) {
    return refuse(error instanceof Error ? error.message.replaceAll(/\s*\n\s*/g, " ") : String(error));
  }
}

/** Unknown flags are mistakes too: a misspelt one must not measure something else. */
const parse = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    options: {
      job: { type: "string" },
      rounds: { type: "string", default: String(roundsDefault) },
      device: { type: "string", default: "cpu-wasm" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  }).values;

const [, , , ...args] = process.argv;
const { job, rounds, device, json, help: isHelp } = readFlags(args);
if (isHelp) {
  console.log(help);
} else {
  if (device !== "cpu-wasm") refuse(`--device ${device} is not there; cpu-wasm is the only device so far`);
  const run = jobs[job ?? ""];
  if (run === undefined) refuse(`--job "${job ?? ""}" is none of ${Object.keys(jobs).join(", ")}`);
  if (!/^\d{1,5}$/.test(rounds) || Number(rounds) < 1 || Number(rounds) > roundsMax)
    refuse(`--rounds "${rounds}" is not in 1..${roundsMax}`);
  const figures = await run(Number(rounds));
  console.log(json ? JSON.stringify(figures) : JSON.stringify(figures, undefined, 2));
}
