// Increments of many counters by many clients while nodes are killed: counts what was lost or doubled.
import { prng } from "@voda/stdx";
import { openCaller } from "./caller.ts";
import { type KillOptions, startKilling } from "./killing.ts";
import type { BenchMesh } from "./mesh.ts";
import { tenths } from "./statistics.ts";

/** How many clients call how many counters, and for how long. */
export interface CountersOptions extends KillOptions {
  readonly clients: number;
  readonly sessions: number;
  readonly seconds: number;
}

/** What was called, and what the counters then showed. */
export interface CountersResult {
  readonly clients: number;
  readonly sessions: number;
  readonly seconds: number;
  readonly calls: number;
  readonly rps: number;
  readonly kills: number;
  /** Acknowledged increments that the counters do not show. */
  readonly lost: number;
  /** Increments that the counters show beyond the acknowledged ones. */
  readonly doubled: number;
  readonly retried: number;
  /** Longest time from a call's first attempt to its answer: how long a kill was felt. */
  readonly slowestCallMs: number;
}

/**
 * Each call has its own idempotency key, so that an attempt more cannot count twice.
 *
 * @throws when a call stays undecided
 */
export async function counters(
  mesh: BenchMesh,
  options: CountersOptions,
  progress: (line: string) => void,
): Promise<CountersResult> {
  using caller = openCaller(mesh.url);
  const run = `${options.seed}-${mesh.startedAt}`;
  const acknowledged = new Uint32Array(options.sessions);
  const tally = { calls: 0, retried: 0, slowestCallMs: 0 };
  const killing = startKilling(mesh, options, progress);
  const started = performance.now();
  const until = started + options.seconds * 1000;

  const client = async (index: number): Promise<void> => {
    const random = prng(options.seed * 1000 + index);
    for (let i = 0; performance.now() < until; i += 1) {
      const session = random.below(options.sessions);
      const called = await caller.call("counter", `c-${run}-${session}`, "add", 1, `${run}-${index}-${i}`);
      acknowledged[session] = (acknowledged[session] ?? 0) + 1;
      tally.calls += 1;
      if (called.attempts > 1) tally.retried += 1;
      tally.slowestCallMs = Math.max(tally.slowestCallMs, called.ms);
    }
  };
  let seconds = 0;
  try {
    await Promise.all(Array.from({ length: options.clients }, (_, index) => client(index)));
    seconds = (performance.now() - started) / 1000;
  } finally {
    await killing.stop();
  }
  let lost = 0;
  let doubled = 0;
  const check = async (session: number): Promise<void> => {
    const { body } = await caller.call("counter", `c-${run}-${session}`, "get", undefined, undefined);
    const difference = Number(JSON.parse(body)) - (acknowledged[session] ?? 0);
    if (difference < 0) lost -= difference;
    else doubled += difference;
  };
  for (let at = 0; at < options.sessions; at += 64) {
    await Promise.all(Array.from({ length: Math.min(64, options.sessions - at) }, (_, i) => check(at + i)));
  }
  return {
    clients: options.clients,
    sessions: options.sessions,
    seconds: tenths(seconds),
    calls: tally.calls,
    rps: tenths(tally.calls / seconds),
    kills: killing.kills.length,
    lost,
    doubled,
    retried: tally.retried,
    slowestCallMs: Math.round(tally.slowestCallMs),
  };
}
