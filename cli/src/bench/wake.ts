// Puts many sessions to sleep and wakes them through Envoy: what sleepers cost a node, and how long a wake
// takes.
import { quantile } from "@voda/stdx/bench";
import { connectApi } from "../api.ts";
import { openCaller } from "./caller.ts";
import { eachOf } from "./each-of.ts";
import type { OwnMesh } from "./mesh.ts";
import { type NodeHeap, openHeap } from "./node-heap.ts";
import { tenths } from "./statistics.ts";

/** How many sessions of which size. */
export interface WakeOptions {
  readonly sessions: number;
  /** Characters of each session's text. */
  readonly characters: number;
}

/** MB of the nodes' heaps, ms of a wake through Envoy. */
export interface WakeResult {
  readonly sessions: number;
  /** Live heap of all nodes together. */
  readonly heapBeforeMb: number;
  readonly heapAwakeMb: number;
  readonly heapAsleepMb: number;
  /** Asleep to before. */
  readonly heapRatio: number;
  readonly wakeP50Ms: number;
  readonly wakeP99Ms: number;
  /** Sessions whose text was another one after the wake. */
  readonly wrong: number;
}

/**
 * Sessions that come and go before the first look at the heap, so that code and pools are there; no more than
 * come after it.
 */
const warmUpSessionsMax = 200;

/** Wakes come one after the other: a wake's time is its own, and none waits for another. */
export async function wake(
  mesh: OwnMesh,
  options: WakeOptions,
  progress: (line: string) => void,
): Promise<WakeResult> {
  const { sessions, characters } = options;
  using heaps = new DisposableStack();
  const opened: NodeHeap[] = [];
  for (const { id, pid } of mesh.describe().nodes)
    opened.push(heaps.use(await openHeap(pid, mesh.logOf(id))));
  const live = async (): Promise<number> =>
    (await Promise.all(opened.map((heap) => heap.live()))).reduce((a, b) => a + b, 0);
  const textOf = (key: string): string => key.padEnd(characters, ".").slice(0, characters);

  const fill = async (keys: readonly string[]): Promise<void> => {
    using caller = openCaller(mesh.url);
    await eachOf(
      keys,
      async (key) => void (await caller.call("editor", key, "apply", [[0, 0, textOf(key)]], key)),
    );
  };
  const sleep = (keys: readonly string[]): Promise<void> => {
    const api = connectApi(mesh.url);
    return eachOf(
      keys,
      async (key) => void (await api.sessions.sleepSession({ session: { agent: "editor", key } })),
    );
  };
  let wrong = 0;
  const wakeOne = async (key: string): Promise<number> => {
    using caller = openCaller(mesh.url); // knows no owner
    const { body, ms } = await caller.call("editor", key, "text", undefined, undefined);
    if (JSON.parse(body) !== textOf(key)) wrong += 1;
    return ms;
  };

  const warmUp = keysOf("warm", Math.min(warmUpSessionsMax, sessions));
  await fill(warmUp);
  await sleep(warmUp);
  for (const key of warmUp) await wakeOne(key);
  await sleep(warmUp);
  const before = await live();

  const keys = keysOf("wake", sessions);
  await fill(keys);
  const awake = await live();
  progress(`${sessions} sessions are awake`);
  await sleep(keys);
  const asleep = await live();
  progress(`${sessions} sessions sleep`);
  const times: number[] = [];
  for (const key of keys) times.push(await wakeOne(key));
  times.sort((a, b) => a - b);
  return {
    sessions,
    heapBeforeMb: megabytes(before),
    heapAwakeMb: megabytes(awake),
    heapAsleepMb: megabytes(asleep),
    heapRatio: Math.round((asleep / before) * 1000) / 1000,
    wakeP50Ms: tenths(quantile(times, 0.5)),
    wakeP99Ms: tenths(quantile(times, 0.99)),
    wrong,
  };
}

const keysOf = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
const megabytes = (bytes: number): number => tenths(bytes / 1e6);
