// SIGKILLs of the parts of a mesh at random times; the supervisor starts them again.
import { setTimeout as delay } from "node:timers/promises";
import { type Prng, prng, wordsOf } from "@voda/stdx";
import type { ReadyFile } from "../up/ready-file.ts";
import type { BenchMesh } from "./mesh.ts";

/** What can be killed; a worker is a thread of a node. */
export const killTargets = ["node", "controlplane", "envoy", "nats", "worker"] as const;
/** One of them. */
export type KillTarget = (typeof killTargets)[number];

/** The same seed picks the same times, targets and, among the same nodes, victims. */
export interface KillOptions {
  readonly seed: number;
  /** One of them each time; empty: nothing is killed. */
  readonly targets: readonly KillTarget[];
  /** Time from when all serve to the next kill: from none to twice as long. */
  readonly killEveryMs: number;
}

/** One that was killed. */
export interface Kill {
  readonly target: KillTarget;
  /** As `performance.now()` has it. */
  readonly atMs: number;
  /** A part of the mesh: `n1`. */
  readonly part: string;
  /** When it was last seen not to serve again; of a worker, which the mesh says nothing of, as `atMs`. */
  readonly downUntilMs: number;
}

/** Goes on until `stop`. */
export interface Killing {
  readonly kills: readonly Kill[];
  /** Resolves when the last victim serves again. Rejects when one does not. */
  stop(): Promise<void>;
}

interface Part {
  readonly name: string;
  readonly pid: number;
  /** Of a node. */
  readonly ingress?: string;
}

/** How often the mesh is asked whether a victim serves again. */
const pollMs = 20;
/** How often the next one is killed before the last one serves again. */
const overlap = 0.2;
/** Until a victim serves again: the supervisor gives up one that ends at once, again and again. */
const downMsMax = 60_000;
/** For the end of a thread that is held. */
const workerEndMsMax = 10_000;

/** The mesh must be one of the bench's own, unless there are no targets. */
export function startKilling(
  mesh: BenchMesh,
  options: KillOptions,
  progress: (line: string) => void,
): Killing {
  const stop = new AbortController();
  const kills: Kill[] = [];
  const killed = new Set<number>();
  /** Those that serve; the ready file still has the pid of one that was just killed. */
  const alive = (target: KillTarget): readonly Part[] =>
    partsOf(mesh.describe(), target).filter(({ pid }) => pid > 0 && !killed.has(pid));
  const killOne = async (target: KillTarget, random: Prng): Promise<void> => {
    const victims = await until(() => alive(target), stop.signal);
    if (victims.length === 0) return;
    const victim = random.pick(victims);
    const atMs = performance.now();
    const problem = target === "worker" ? await endWorker(victim, kills.length) : endProcess(victim, killed);
    if (problem !== undefined) {
      progress(`${target} ${victim.name} was not killed: ${problem}`);
      return;
    }
    progress(`killed ${target} ${victim.name}`);
    const kill = { target, part: victim.name, atMs, downUntilMs: atMs };
    kills.push(kill);
    if (target !== "worker") watched.push(ending(watch(kill, () => alive(target))));
  };
  /** Nothing more is killed when it fails; `stop` tells why. */
  const ending = (work: Promise<void>): Promise<void> => {
    work.catch(() => stop.abort());
    return work;
  };
  const watched: Promise<void>[] = [];
  const run = async (): Promise<void> => {
    const random = prng(options.seed);
    while (!stop.signal.aborted) {
      if (!random.chance(overlap)) await Promise.all(watched);
      await pause(random.below(2 * options.killEveryMs), stop.signal);
      if (!stop.signal.aborted) await killOne(random.pick(options.targets), random);
    }
  };
  const running = options.targets.length === 0 ? undefined : ending(run());
  return {
    kills,
    async stop() {
      stop.abort();
      await running;
      await Promise.all(watched);
    },
  };
}

/** Of one kind, as the ready file has them. */
function partsOf(ready: ReadyFile | undefined, target: KillTarget): readonly Part[] {
  if (ready === undefined) return [];
  const nodes = ready.nodes.map(({ id, pid, ingress }) => ({ name: id, pid, ingress }));
  const parts: Readonly<Record<KillTarget, readonly Part[]>> = {
    node: nodes,
    worker: nodes,
    controlplane: ready.controlplanes.map(({ pid }) => ({ name: target, pid })),
    envoy: [{ name: target, pid: ready.envoy.pid }],
    nats: [{ name: target, pid: ready.nats.pid }],
  };
  return parts[target];
}

/** @returns why it was not killed */
function endProcess({ pid }: Part, killed: Set<number>): string | undefined {
  killed.add(pid);
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    return wordsOf(error);
  }
  return undefined;
}

/**
 * A thread takes no signal: a session that is born on the node holds it until the node ends it.
 * @returns why it did not end
 */
async function endWorker({ ingress }: Part, nth: number): Promise<string | undefined> {
  try {
    const response = await fetch(`http://${ingress}/agents/spinner/${nth}-${Date.now()}/spin`, {
      method: "POST",
      signal: AbortSignal.timeout(workerEndMsMax),
    });
    const body = await response.text();
    return body.includes("turn_timeout") ? undefined : body;
  } catch (error) {
    return wordsOf(error);
  }
}

/** Until the part serves again. @throws Error when it does not */
async function watch(kill: Kill & { downUntilMs: number }, alive: () => readonly Part[]) {
  const { part, atMs } = kill;
  while (!alive().some(({ name }) => name === part)) {
    if (performance.now() - atMs > downMsMax)
      throw new Error(`${part} was killed and does not serve again in ${downMsMax} ms: its log says why`);
    kill.downUntilMs = performance.now();
    await delay(pollMs);
  }
}

/** The first list that is not empty, or the empty one at the end. */
async function until(list: () => readonly Part[], signal: AbortSignal): Promise<readonly Part[]> {
  for (;;) {
    const found = list();
    if (found.length > 0 || signal.aborted) return found;
    await pause(pollMs, signal);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
