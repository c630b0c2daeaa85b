// How long people wait for the command itself: until a mesh serves, and for the answer of `voda ps`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { median } from "@voda/stdx/bench";
import { programs } from "../programs.ts";
import { type OwnMeshOptions, ownMesh } from "./mesh.ts";
import { hundredths } from "./statistics.ts";

/** Over all runs, each with a new folder. */
export interface ReadyResult {
  readonly runs: number;
  /** From `voda up` until it serves, with a folder that is empty. */
  readonly readyP50Ms: number;
  readonly readyMaxMs: number;
}

/** Starts meshes one after the other. */
export async function ready(runs: number, options: OwnMeshOptions): Promise<ReadyResult> {
  const times: number[] = [];
  for (let i = 0; i < runs; i += 1) {
    const startedMs = performance.now();
    await using _mesh = await ownMesh(options);
    times.push(performance.now() - startedMs);
  }
  return {
    runs,
    readyP50Ms: Math.round(median(times)),
    readyMaxMs: Math.round(Math.max(...times)),
  };
}

/** Medians over the runs; `ratio` is of the two. */
export interface PsResult {
  readonly runs: number;
  readonly psP50Ms: number;
  /** A Node that does nothing: what no command can be faster than. */
  readonly nodeP50Ms: number;
  readonly ratio: number;
}

/** Runs `voda ps` in turns with its control. @throws when a run fails */
export async function ps(runs: number, options: OwnMeshOptions): Promise<PsResult> {
  await using mesh = await ownMesh(options);
  const times: Record<"ps" | "node", number[]> = { ps: [], node: [] };
  for (let i = 0; i < runs; i += 1) {
    times.node.push(await timed(["--eval", "0"]));
    times.ps.push(await timed([programs().cli, "ps", "--url", mesh.url]));
  }
  const [psP50Ms, nodeP50Ms] = [median(times.ps), median(times.node)];
  return {
    runs,
    psP50Ms: Math.round(psP50Ms),
    nodeP50Ms: Math.round(nodeP50Ms),
    ratio: hundredths(psP50Ms / nodeP50Ms),
  };
}

async function timed(args: readonly string[]): Promise<number> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`node ${args.join(" ")} ended with ${code}`);
  return performance.now() - startedMs;
}
