// Processor time of the parts of a mesh, as Linux counts it. A figure of its own: it is the same on a machine
// that others use too.
import { existsSync, readFileSync } from "node:fs";
import type { ReadyFile } from "../up/ready-file.ts";

const parts = ["controlplane", "nodes", "nats", "envoy", "driver"] as const;
type Part = (typeof parts)[number];

/** Milliseconds. */
export type CpuMs = Readonly<Record<Part, number>>;

/** Of `/proc/PID/stat`: the kernel tells user space hundredths of a second, whatever it counts in. */
const tickMs = 10;
/** Where user and system time stand after the name of the program, which may have spaces. */
const userField = 11;

/**
 * What everything has used since its start; the driver is this process. `undefined` where there is no
 * `/proc`.
 */
export function readCpu({ controlplanes, nodes, nats, envoy }: ReadyFile): CpuMs | undefined {
  if (!existsSync("/proc/self/stat")) return undefined;
  const own = process.cpuUsage();
  return {
    controlplane: sum(controlplanes),
    nodes: sum(nodes),
    nats: ofProcess(nats),
    envoy: ofProcess(envoy),
    driver: (own.user + own.system) / 1000,
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
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[userField]) + Number(fields[userField + 1])) * tickMs;
}
