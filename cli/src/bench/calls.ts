// Calls of awake sessions at one node's own ingress, in slices that take turns with slices of a control: what
// a call costs.
import { median } from "@voda/stdx/bench";
import { programs } from "../programs.ts";
import { openCaller } from "./caller.ts";
import type { Driven, DriveOrder } from "./calls-driver.ts";
import { cpuUsOf } from "./cpu.ts";
import { Forked } from "./forked.ts";
import type { OwnMesh } from "./mesh.ts";
import { hundredths } from "./statistics.ts";

/** How much is called. */
export interface CallsOptions {
  readonly clients: number;
  readonly sessions: number;
  /** How long each of the two is called by all clients. */
  readonly seconds: number;
}

/** Figures are medians over the slices; the counts are over all of them, the warm-up included. */
export interface CallsResult {
  readonly figures: Readonly<Record<string, number>>;
  readonly failed: number;
  /** Answered calls that the counters do not show. */
  readonly lost: number;
  /** What the counters show beyond the answered calls. */
  readonly doubled: number;
}

/** Of each target, by turns. */
const sliceCount = 10;
/**
 * Of the time of all clients: how long one client calls, and how long everybody calls before anything counts.
 */
const oneClientPart = 0.25;
const warmUpPart = 0.5;
/** Counters that are read at once, at the end. */
const readsAtOnce = 64;

interface Target {
  readonly port: number;
  /** Processes whose CPU counts, by name. */
  readonly pids: Readonly<Record<string, number>>;
}

/** One slice: what is measured, each as a number. */
type Row = Readonly<Record<string, number>>;

/** @throws when a process does not start, or the driver ends before its order is done */
export async function calls(
  mesh: OwnMesh,
  options: CallsOptions,
  say: (line: string) => void,
): Promise<CallsResult> {
  await using children = new AsyncDisposableStack();
  const control = children.use(new Forked(programs().callsControl, "the control"));
  const port = await control.next<number>();
  // A process of its own, so that its CPU is told apart.
  const driver = children.use(new Forked(programs().callsDriver, "the process that calls"));
  const { nodes, nats } = mesh.describe();
  const [node] = nodes;
  if (node === undefined) throw new Error("a node did not start");
  const run = new Slices(driver, `/agents/counter/calls-${mesh.startedAt}-`, options.sessions);
  const voda = {
    port: Number(new URL(`http://${node.ingress}`).port),
    pids: { node: node.pid, nats: nats.pid },
  };
  const echo = { port, pids: { control: control.pid } };

  const { clients, seconds } = options;
  const sliceMs = (seconds * 1000) / sliceCount;
  // Before anything counts: compilers have done their work, connections are open, sessions are awake.
  for (const target of [voda, echo]) await run.slice(target, clients, sliceMs * sliceCount * warmUpPart);
  say(
    `${sliceCount} slices of ${sliceMs} ms with ${clients} connections, as many of ${sliceMs * oneClientPart} ms with one`,
  );
  // Taken in pairs: what else the machine does in that moment, it does to both.
  const many: [Row, Row][] = [];
  const one: [Row, Row][] = [];
  for (let i = 0; i < sliceCount; i += 1) {
    many.push([await run.slice(voda, clients, sliceMs), await run.slice(echo, clients, sliceMs)]);
    one.push([
      await run.slice(voda, 1, sliceMs * oneClientPart),
      await run.slice(echo, 1, sliceMs * oneClientPart),
    ]);
  }
  const answered = run.answeredBy(voda);
  const counted = await countedBy(mesh.url, `calls-${mesh.startedAt}-`, options.sessions);
  return {
    figures: {
      ...options,
      slices: sliceCount,
      calls: answered,
      ...figuresOf(many, ""),
      ...figuresOf(one, "One"),
    },
    failed: run.failed,
    lost: Math.max(0, answered - counted),
    doubled: Math.max(0, counted - answered),
  };
}

/**
 * One driver for both targets, so that what it costs itself is the same; it counts what each has answered.
 */
class Slices {
  readonly #driver: Forked;
  readonly #prefix: string;
  readonly #sessions: number;
  readonly #answered = new Map<number, number>();
  #seed = 1;
  failed = 0;

  constructor(driver: Forked, prefix: string, sessions: number) {
    this.#driver = driver;
    this.#prefix = prefix;
    this.#sessions = sessions;
  }

  answeredBy({ port }: Target): number {
    return this.#answered.get(port) ?? 0;
  }

  async slice({ port, pids }: Target, connections: number, ms: number): Promise<Row> {
    // Of whole processes, with their threads: a worker's time is the node's.
    const all = { ...pids, driver: this.#driver.pid };
    const before = Object.values(all).map(cpuUsOf);
    // Each connection has a seed of its own: no two call the same sessions in the same order.
    this.#seed += connections;
    const where = { prefix: this.#prefix, sessions: this.#sessions, suffix: "/add" };
    const order: DriveOrder = { port, connections, ms, seed: this.#seed, ...where };
    const driven = await this.#driver.ask<Driven>(order);
    const row: Record<string, number> = {
      perSecond: (driven.calls * 1000) / driven.ms,
      p50Ms: driven.p50Ms,
      p99Ms: driven.p99Ms,
    };
    for (const [i, [name, pid]] of Object.entries(all).entries()) {
      row[`${name}CpuUs`] = (cpuUsOf(pid) - (before[i] ?? 0)) / driven.calls;
    }
    // A call that failed and yet took effect is counted as doubled.
    this.#answered.set(port, this.answeredBy({ port, pids }) + driven.calls - driven.failed);
    this.failed += driven.failed;
    return row;
  }
}

/** Sum of all counters. */
async function countedBy(url: string, prefix: string, sessions: number): Promise<number> {
  using caller = openCaller(url);
  let sum = 0;
  // One iterator for all readers.
  const left = Array.from({ length: sessions }, (_, i) => `${prefix}${i}`).values();
  const read = async (): Promise<void> => {
    for (const key of left) {
      const { body } = await caller.call("counter", key, "get", undefined, undefined);
      sum += Number(JSON.parse(body));
    }
  };
  await Promise.all(Array.from({ length: readsAtOnce }, read));
  return sum;
}

/** Medians over the slices, and from where to where they spread. */
function figuresOf(pairs: readonly (readonly [Row, Row])[], suffix: string): Record<string, number> {
  const figures: Record<string, number> = {};
  const put = (name: string, values: readonly number[]): void => {
    figures[`${name}${suffix}`] = hundredths(median(values));
    figures[`${name}${suffix}Low`] = hundredths(Math.min(...values));
    figures[`${name}${suffix}High`] = hundredths(Math.max(...values));
  };
  const of = (row: Row, name: string): number => row[name] ?? 0;
  for (const name of ["perSecond", "nodeCpuUs", "natsCpuUs", "driverCpuUs", "p50Ms", "p99Ms"]) {
    put(
      name,
      pairs.map(([voda]) => of(voda, name)),
    );
  }
  for (const [name, from] of Object.entries(controlNames)) {
    put(
      name,
      pairs.map(([, control]) => of(control, from)),
    );
  }
  put(
    "perSecondOfControl",
    pairs.map(([voda, control]) => of(voda, "perSecond") / of(control, "perSecond")),
  );
  put(
    "cpuOfControl",
    pairs.map(
      ([voda, control]) => (of(voda, "nodeCpuUs") + of(voda, "natsCpuUs")) / of(control, "controlCpuUs"),
    ),
  );
  return figures;
}

/** By the names that the result has for them. */
const controlNames: Readonly<Record<string, string>> = {
  controlPerSecond: "perSecond",
  controlCpuUs: "controlCpuUs",
  controlP50Ms: "p50Ms",
  controlP99Ms: "p99Ms",
};
