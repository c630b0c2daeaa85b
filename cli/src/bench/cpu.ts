// Processor time of the parts of a mesh, as Linux counts it. A figure of its own: it is the same on a machine
// that others use too.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { ReadyFile } from "../up/ready-file.ts";

const parts = ["controlplane", "nodes", "nats", "envoy", "driver"] as const;
type Part = (typeof parts)[number];

/** Milliseconds. */
export type CpuMs = Readonly<Record<Part, number>>;

/** `/proc/PID/task/TID/schedstat` counts nanoseconds; `/proc/PID/stat` only hundredths of a second. */
const nsPerUs = 1000;
const usPerMs = 1000;

/**
 * Processor time of a process since its start, in microseconds, as Linux counts it for each of its threads.
 * What a thread used goes with it when it ends: the programs of a mesh keep theirs while a bench runs.
 */
export function cpuUsOf(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  const ns = readdirSync(tasks).reduce(
    (total, task) => total + Number(readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ")[0]),
    0,
  );
  return ns / nsPerUs;
}

/**
 * What everything has used since its start; the driver is this process. `undefined` where there is no
 * `/proc`.
 */
export function readCpu({ controlplanes, nodes, nats, envoy }: ReadyFile): CpuMs | undefined {
  if (!existsSync("/proc/self/schedstat")) return undefined;
  const own = process.cpuUsage();
  return {
    controlplane: sum(controlplanes),
    nodes: sum(nodes),
    nats: ofProcess(nats),
    envoy: ofProcess(envoy),
    driver: (own.user + own.system) / usPerMs,
  };
}

/** What each part used between two readings, for each of `calls`. */
export function cpuPerCall(
  spans: readonly { readonly from: CpuMs; readonly to: CpuMs }[],
  calls: number,
): CpuMs {
  const used = (part: Part): number =>
    spans.reduce((total, { from, to }) => total + to[part] - from[part], 0);
  const each = (part: Part): number => Math.round((used(part) / calls) * 1000) / 1000;
  return {
    controlplane: each("controlplane"),
    nodes: each("nodes"),
    nats: each("nats"),
    envoy: each("envoy"),
    driver: each("driver"),
  };
}

interface Process {
  readonly pid: number;
}

const sum = (processes: readonly Process[]): number =>
  processes.reduce((total, one) => total + ofProcess(one), 0);

function ofProcess({ pid }: Process): number {
  return cpuUsOf(pid) / usPerMs;
}
