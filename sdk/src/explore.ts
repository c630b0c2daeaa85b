// The same scenario under many seeds, in each of which the node dies at every step once.
import * as timers from "node:timers";
import { type Config, defineConfig } from "./config.ts";
import type { AnyAgent } from "./definition.ts";
import { refuseUnknown } from "./options.ts";
import { shown } from "./shown.ts";
import { meshOver, openMesh, type TestMesh } from "./test-mesh.ts";

/** A config, and what of its runs to look at. */
export interface ExploreOptions<A extends readonly AnyAgent[]> extends Config<A> {
  /** How many, from 1 on, or which. Default 5. */
  readonly seeds?: number | readonly number[];
  /**
   * `"every step"`: beside the run of each seed in which nothing dies, one for each of its steps, before
   * which the node dies. Default `"none"`.
   */
  readonly kills?: "every step" | "none";
  /** Only the run that a failure has named. */
  readonly replay?: string;
  /** As in TestMeshOptions. */
  readonly now?: Date | number;
}

/** What was looked at. */
export interface Explored {
  readonly runs: number;
  /** Of all runs together. */
  readonly steps: number;
}

const optionNames: ReadonlySet<string> = new Set(["agents", "seeds", "kills", "replay", "now"]);
const seedsDefault = 5;
/** A scenario in whose mesh nothing happens for so long waits for something that never comes. */
const quietMsMax = 10_000;
const checkMs = 100;
const replayText = /^seed (-?\d+)(?:, killed before step (\d+))?$/;

/** One run: `killAt` is the step before which the node dies. */
interface Run {
  readonly seed: number;
  readonly killAt: number | undefined;
}

/**
 * Runs the scenario in a new test mesh for each seed and each death, until one fails: its error says which,
 * and how to run that one again.
 *
 * ```ts
 * await explore(async (mesh) => {
 *   await mesh.client.counter("a").add(1);
 *   assert.equal(await mesh.client.counter("a").get(), 1);
 * }, { agents: [counter], seeds: 20, kills: "every step" });
 * ```
 * @throws TypeError or RangeError for a bad option
 */
export async function explore<const A extends readonly AnyAgent[]>(
  scenario: (mesh: TestMesh<A>) => Promise<void>,
  options: ExploreOptions<A>,
): Promise<Explored> {
  refuseUnknown("explore option", options, optionNames);
  const { agents } = defineConfig<A>({ agents: options.agents });
  const [seeds, kills] = [seedsOf(options.seeds), killsOf(options.kills)];
  let [runs, steps] = [0, 0];
  const run = async (one: Run): Promise<number> => {
    const taken = await runOnce(scenario, { agents, now: options.now, ...one });
    runs += 1;
    steps += taken;
    return taken;
  };
  if (options.replay !== undefined) await run(runOf(options.replay));
  else
    for (const seed of seeds) {
      const taken = await run({ seed, killAt: undefined });
      if (kills) for (let killAt = 1; killAt <= taken; killAt += 1) await run({ seed, killAt });
    }
  return { runs, steps };
}

interface RunParts<A> extends Run {
  readonly agents: A;
  readonly now: Date | number | undefined;
}

/** How many steps it took. */
async function runOnce<A extends readonly AnyAgent[]>(
  scenario: (mesh: TestMesh<A>) => Promise<void>,
  { agents, now, seed, killAt }: RunParts<A>,
): Promise<number> {
  const mesh = openMesh(agents, { seed, now, killAt });
  try {
    await inTime(scenario(meshOver(mesh, agents)), () => mesh.steps);
    return mesh.steps;
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    const name = killAt === undefined ? `seed ${seed}` : `seed ${seed}, killed before step ${killAt}`;
    throw new Error(`${name}: ${words}\nto run it again: explore(scenario, { ..., replay: "${name}" })`, {
      cause,
    });
  } finally {
    mesh[Symbol.dispose]();
  }
}

/** By the clock of the machine: a test that reads a file, or calls a server, may take its time. */
async function inTime(run: Promise<void>, steps: () => number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let [last, quietMs] = [steps(), 0];
  const check = (): void => {
    quietMs = steps() === last ? quietMs + checkMs : 0;
    last = steps();
    if (quietMs >= quietMsMax)
      reject(
        new Error(`the scenario has not ended, and nothing happens in its mesh for ${quietMsMax / 1_000} s`),
      );
  };
  const checking = timers.setInterval(check, checkMs);
  run.then(resolve, reject);
  await promise.finally(() => timers.clearInterval(checking));
}

/** @throws TypeError */
function runOf(replay: string): Run {
  const [, seed, step] = replayText.exec(replay) ?? [];
  if (seed === undefined)
    throw new TypeError(
      `replay of ${JSON.stringify(replay)} is not what a failure has named: "seed 3, killed before step 17"`,
    );
  return { seed: Number(seed), killAt: step === undefined ? undefined : Number(step) };
}

/** @throws RangeError */
function seedsOf(seeds: number | readonly number[] = seedsDefault): readonly number[] {
  if (typeof seeds !== "number") {
    if (seeds.length === 0) throw new RangeError("seeds is empty: nothing would run");
    return seeds;
  }
  if (!Number.isInteger(seeds) || seeds < 1)
    throw new RangeError(`seeds of ${shown(seeds)} is not a number from 1 on`);
  return Array.from({ length: seeds }, (_, at) => at + 1);
}

/** @throws TypeError */
function killsOf(kills: unknown = "none"): boolean {
  if (kills !== "every step" && kills !== "none")
    throw new TypeError(`kills of ${JSON.stringify(kills)} is neither "every step" nor "none"`);
  return kills === "every step";
}
