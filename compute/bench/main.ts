// The bench of this room: node compute/bench/main.ts compute --job axpy --json
import { type Bench, BenchError, runBenches, text, whole } from "@voda/stdx/bench";
import { jobs } from "./jobs.ts";

const roundsMax = 10_000;

const compute: Bench = {
  name: "compute",
  summary: "kernels, memory and stealing, each in turns with what one would write without them",
  flags: [
    { name: "job", type: "text", description: Object.keys(jobs).join(", ") },
    {
      name: "rounds",
      type: "whole",
      least: 1,
      most: roundsMax,
      description: "rounds in which all that is compared runs once",
      default: 31,
    },
    { name: "device", type: "text", description: "cpu-wasm, the only one there is", default: "cpu-wasm" },
  ],
  run: async ({ values }) => {
    const [name, rounds, device] = [text(values, "job"), whole(values, "rounds"), text(values, "device")];
    if (device !== "cpu-wasm")
      throw new BenchError(`--device ${device} is not there; cpu-wasm is the only device so far`);
    const job = Object.hasOwn(jobs, name) ? jobs[name] : undefined;
    if (job === undefined) throw new BenchError(`--job "${name}" is none of ${Object.keys(jobs).join(", ")}`);
    return { figures: await job(rounds) };
  },
};

await runBenches([compute], process.argv.slice(2));
