// Timers of many sessions that are due evenly over some time, beside those of a process that does nothing
// else: how late they are.
import { setTimeout as delay } from "node:timers/promises";
import { quantile } from "@voda/stdx/bench";
import { type Caller, openCaller } from "./caller.ts";
import { eachOf } from "./each-of.ts";
import type { OwnMesh } from "./mesh.ts";
import { tenths } from "./statistics.ts";

/** How many timers, of how many sessions, over how many seconds. */
export interface TimersBenchOptions {
  readonly count: number;
  /** Timers are spread over them. */
  readonly sessions: number;
  /** From the first time to the last. */
  readonly seconds: number;
}

interface Lateness {
  readonly p50: number;
  readonly p99: number;
}

/** Lateness in milliseconds; `doubled`: timers that have fired more than once, which none must. */
export interface TimersBenchResult extends TimersBenchOptions {
  readonly fired: number;
  readonly doubled: number;
  /** From its time until its handler has begun. */
  readonly latenessMs: Lateness;
  /** The same of `setTimeout` in the process of the bench. */
  readonly controlMs: Lateness;
}

interface Rung {
  readonly rings: Readonly<Record<string, number>>;
  readonly lateMs: Readonly<Record<string, number>>;
}

/** Of one call: a turn sends at most `turnSendsMax`. */
const timersPerCall = 500;
/** From the last time until all must have fired. */
const waitMsMax = 60_000;
const pollMs = 1_000;

/** Gives up `waitMsMax` after the last time: what has not fired by then is missing from `fired`. */
export async function timers(
  mesh: OwnMesh,
  options: TimersBenchOptions,
  progress: (line: string) => void,
): Promise<TimersBenchResult> {
  const { count, sessions, seconds } = options;
  using caller = openCaller(mesh.url);
  const keys = Array.from({ length: sessions }, (_, i) => `clock-${i}`);
  // every session and its target is awake, and its code is compiled
  await eachOf(keys, (key) => set(caller, key, [Date.now()]));
  const fromMs = Date.now() + settingMs(count);
  const dueMs = (i: number): number => Math.round(fromMs + (i * seconds * 1_000) / count);
  const dueOf = new Map(keys.map((key) => [key, new Set<number>()]));
  for (let i = 0; i < count; i += 1) dueOf.get(keys[i % sessions] ?? "")?.add(dueMs(i));
  await eachOf(keys, (key) => set(caller, key, [...(dueOf.get(key) ?? [])]));
  const aheadMs = Math.round(fromMs - Date.now());
  progress(`${count} timers of ${sessions} sessions are set, the first is due in ${aheadMs} ms`);
  const control = await controlled(count, dueMs);
  progress("the last one is due");
  const giveUpMs = dueMs(count) + waitMsMax;
  for (;;) {
    const { lateMs, ...found } = await rungOf(caller, dueOf);
    if (found.fired >= count || Date.now() > giveUpMs)
      return { ...options, ...found, latenessMs: ofAll(lateMs), controlMs: ofAll(control) };
    await delay(pollMs);
  }
}

/** Setting one takes half a millisecond of this machine; nothing is due before all are set. */
const settingMs = (count: number): number => 3_000 + 2 * count;

async function set(caller: Caller, key: string, dueMs: readonly number[]): Promise<void> {
  for (let at = 0; at < dueMs.length; at += timersPerCall)
    await caller.call("clock", key, "set", dueMs.slice(at, at + timersPerCall), `${key} ${at} ${dueMs[at]}`);
}

/** Milliseconds by which each of so many timers of this process is late, when the last one is over. */
function controlled(count: number, dueMs: (i: number) => number): Promise<readonly number[]> {
  const late: number[] = [];
  return new Promise((resolve) => {
    for (let i = 0; i < count; i += 1) {
      setTimeout(() => {
        late.push(Date.now() - dueMs(i));
        if (late.length === count) resolve(late);
      }, dueMs(i) - Date.now());
    }
  });
}

async function rungOf(caller: Caller, dueOf: ReadonlyMap<string, ReadonlySet<number>>) {
  let [fired, doubled] = [0, 0];
  const lateMs: number[] = [];
  await eachOf([...dueOf.keys()], async (key) => {
    const { body } = await caller.call("alarm", key, "rung", undefined, undefined);
    const { rings, lateMs: late }: Rung = JSON.parse(body);
    for (const [name, times] of Object.entries(rings)) {
      if (!dueOf.get(key)?.has(Number(name))) continue; // of the warm-up
      fired += 1;
      doubled += times - 1;
      lateMs.push(late[name] ?? Number.NaN);
    }
  });
  return { fired, doubled, lateMs };
}

function ofAll(values: readonly number[]): Lateness {
  const sorted = values.toSorted((a, b) => a - b);
  return { p50: tenths(quantile(sorted, 0.5)), p99: tenths(quantile(sorted, 0.99)) };
}
