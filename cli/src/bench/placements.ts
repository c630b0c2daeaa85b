// Placements through a real mesh at a steady rate: how much longer a session's first call takes than a call
// of one that is awake. Slices of one take turns with slices of the other, so that each has the machine to
// itself and both have the same machine.

import { setTimeout as delay } from "node:timers/promises";
import { quantile } from "@voda/stdx/bench";
import { CliError, exitCodes } from "../failure.ts";
import { programs } from "../programs.ts";
import { type ArrivalSlice, arrive } from "./arrivals.ts";
import { type Caller, openCaller } from "./caller.ts";
import { type CpuMs, cpuPerCall, readCpu } from "./cpu.ts";
import { type OwnMesh, ownMesh } from "./mesh.ts";
import { hundredths } from "./statistics.ts";

/** How many placements come, and for how long. */
export interface PlacementsOptions {
  /** Placements per second, and as many calls of the control. */
  readonly rate: number;
  /** Of placements, and as many of the control. */
  readonly seconds: number;
}

/** Times are from when a call was due, so that a driver that falls behind cannot hide a wait. */
export interface PlacementsResult {
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly controlP50Ms: number;
  readonly controlP99Ms: number;
  readonly overControlP99Ms: number;
  /** Placements that were answered, per second from the first arrival of each slice to its last answer. */
  readonly perSecond: number;
  readonly controlPerSecond: number;
  /**
   * From the instant at which a call was due to the one at which it was sent: how late the driver itself is.
   */
  readonly lateP99Ms: number;
  readonly controlLateP99Ms: number;
  /** Calls that were answered only after another attempt. */
  readonly retried: number;
  /** Calls that were not answered in time; their waiting counts in the percentiles. */
  readonly unanswered: number;
  /** Processor milliseconds of each part per placement, and per call of the control. */
  readonly cpuMs?: { readonly placement: CpuMs; readonly control: CpuMs };
}

const nodeCount = 2;
/** Sessions of the control, awake before the first arrival. */
const controlSessions = 200;
/**
 * Slices of each before those that count: connections are open and code is compiled by then. `bpf` fills one
 * node after the other, so sessions without GPUs, which spread, come first: no node begins to host while the
 * calls are timed.
 */
const warmUpSlices = 2;
const sliceSeconds = 1;
/** After a slice, so that what its calls leave to be done is done, and counted, before the next one. */
const settleMs = 100;
/** A GPU holds 1,000 sessions of `gpu.config.ts`: a tenth stays free. */
const sessionsPerGpu = 900;
/** A file declares as many at most, for all nodes of a machine together. */
const gpusMax = 16;
const sessionsMax = gpusMax * sessionsPerGpu;
const callerGivesUpMs = 10_000;

/** All sessions of a run, which stay awake. @throws when they do not fit on the nodes */
export function sessionsOf({ rate, seconds }: PlacementsOptions): number {
  const sessions = controlSessions + rate * sliceSeconds * (warmUpSlices + seconds);
  if (sessions <= sessionsMax) return sessions;
  const limit = `--rate ${rate} for --seconds ${seconds} needs ${sessions} sessions; sessionsMax is ${sessionsMax}`;
  throw new CliError(limit, exitCodes.usage);
}

/** @throws CliError when so many sessions do not fit, before anything is started */
export async function placements(
  options: PlacementsOptions,
  say: (line: string) => void,
): Promise<PlacementsResult> {
  const { rate, seconds } = options;
  const gpus = gpusOf(Math.ceil(sessionsOf(options) / sessionsPerGpu / nodeCount) * nodeCount);
  await using mesh = await ownMesh({ nodes: nodeCount, config: programs().gpuConfig, gpus });
  // Without hints, so that every call asks the picker: the control differs in nothing but the placement and
  // the claim.
  using caller = openCaller(mesh.url, { giveUpMs: callerGivesUpMs, keepsHints: false });
  for (let i = 0; i < controlSessions; i++) await caller.call("model", controlKey(i), "add", 1, `wake-${i}`);
  const spread = slicesOf(caller, rate, { agent: "plain", keyOf: (i) => `spread-${i}` });
  for (let i = 0; i < warmUpSlices; i++) await spread();
  const place = slicesOf(caller, rate, { agent: "model", keyOf: (i) => `new-${i}` });
  const control = slicesOf(caller, rate, { agent: "model", keyOf: (i) => controlKey(i % controlSessions) });
  const measured: Measured = { mesh, say, place, control };
  await rounds(measured, warmUpSlices);
  say(`${rate} placements a second and ${rate} control calls a second, by turns, for ${seconds} s each`);
  return resultOf(rate, await rounds(measured, seconds));
}

interface Measured {
  readonly mesh: OwnMesh;
  readonly say: (line: string) => void;
  /** Both send the next slice of their calls. */
  readonly place: () => Promise<ArrivalSlice>;
  readonly control: () => Promise<ArrivalSlice>;
}

interface Called {
  readonly agent: string;
  readonly keyOf: (call: number) => string;
}

function slicesOf(caller: Caller, rate: number, { agent, keyOf }: Called): () => Promise<ArrivalSlice> {
  let next = 0;
  return () => {
    const first = next;
    next += rate * sliceSeconds;
    return arrive({ perSecond: rate, count: rate * sliceSeconds }, (i) =>
      caller.call(agent, keyOf(first + i), "add", 1, `slices-${agent}-${first + i}`),
    );
  };
}

type Counted = ArrivalSlice & { readonly cpu: { readonly from: CpuMs; readonly to: CpuMs } | undefined };

interface Rounds {
  readonly placed: readonly Counted[];
  readonly control: readonly Counted[];
}

/**
 * One slice of each per round; who begins changes, so that a machine that gets faster or slower favours
 * neither.
 */
async function rounds({ mesh, say, place, control }: Measured, count: number): Promise<Rounds> {
  const counted = async (into: Counted[], slice: () => Promise<ArrivalSlice>): Promise<void> => {
    const from = readCpu(mesh.describe());
    const done = await slice();
    if (done.problem !== undefined) say(done.problem);
    await delay(settleMs);
    const to = readCpu(mesh.describe());
    into.push({ ...done, cpu: from === undefined || to === undefined ? undefined : { from, to } });
  };
  const [placed, controlled]: [Counted[], Counted[]] = [[], []];
  for (let round = 0; round < count; round++) {
    if (round % 2 === 0) await counted(placed, place);
    await counted(controlled, control);
    if (round % 2 === 1) await counted(placed, place);
  }
  return { placed, control: controlled };
}

function resultOf(rate: number, { placed, control }: Rounds): PlacementsResult {
  const [ms, controlMs] = [sorted(placed, "ms"), sorted(control, "ms")];
  const [p99Ms, controlP99Ms] = [quantile(ms, 0.99), quantile(controlMs, 0.99)];
  const all = [...placed, ...control];
  const [cpu, controlCpu] = [cpuOf(placed), cpuOf(control)];
  return {
    rate,
    p50Ms: hundredths(quantile(ms, 0.5)),
    p99Ms: hundredths(p99Ms),
    controlP50Ms: hundredths(quantile(controlMs, 0.5)),
    controlP99Ms: hundredths(controlP99Ms),
    overControlP99Ms: hundredths(p99Ms - controlP99Ms),
    perSecond: hundredths(perSecond(placed)),
    controlPerSecond: hundredths(perSecond(control)),
    lateP99Ms: hundredths(quantile(sorted(placed, "lateMs"), 0.99)),
    controlLateP99Ms: hundredths(quantile(sorted(control, "lateMs"), 0.99)),
    retried: all.reduce((sum, { retried }) => sum + retried, 0),
    unanswered: all.reduce((sum, { unanswered }) => sum + unanswered, 0),
    ...(cpu !== undefined && controlCpu !== undefined && { cpuMs: { placement: cpu, control: controlCpu } }),
  };
}

const sorted = (slices: readonly ArrivalSlice[], of: "ms" | "lateMs"): Float64Array =>
  Float64Array.from(slices.flatMap((slice) => [...slice[of]])).sort();

function perSecond(slices: readonly ArrivalSlice[]): number {
  const answered = slices.reduce((sum, { ms, unanswered }) => sum + ms.length - unanswered, 0);
  return (answered * 1000) / slices.reduce((sum, { tookMs }) => sum + tookMs, 0);
}

function cpuOf(slices: readonly Counted[]): CpuMs | undefined {
  const calls = slices.reduce((sum, { ms }) => sum + ms.length, 0);
  const spans = slices.flatMap(({ cpu }) => cpu ?? []);
  return spans.length === slices.length ? cpuPerCall(spans, calls) : undefined;
}

const controlKey = (i: number): string => `control-${i}`;

const gpusOf = (count: number): readonly object[] =>
  Array.from({ length: count }, (_, i) => ({
    uuid: `GPU-${i}`,
    model: "bench",
    memoryMib: 80_000,
    vendor: "nvidia",
  }));
