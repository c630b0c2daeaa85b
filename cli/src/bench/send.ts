// Messages of sessions to others, in slices that take turns with slices of a control: the same turns of the
// same sessions, called by a client.
import { setTimeout as delay } from "node:timers/promises";
import { median } from "@voda/stdx/bench";
import { type Caller, openCaller } from "./caller.ts";
import { cpuUsOf } from "./cpu.ts";
import type { OwnMesh } from "./mesh.ts";
import { hundredths } from "./statistics.ts";

/** How much is sent. */
export interface SendBenchOptions {
  /** Of each kind, in all slices together. */
  readonly messages: number;
  /** Sessions that send, each to one of its own on each node: messages of one pair go one by one. */
  readonly pairs: number;
}

/** A message, from the call of its sender until its target has taken it; medians over the slices. */
interface Rate {
  readonly perSecond: number;
  /** Of both nodes and nats. */
  readonly cpuUs: number;
}

/** What `--json` prints. */
export interface SendFigures extends SendBenchOptions {
  readonly slices: number;
  /** Within a node, and to another one. */
  readonly near: Rate;
  readonly far: Rate;
  /** Turns that a client has the same sessions take. */
  readonly control: Rate;
  /** One message at a time, each sent when the one before was taken. */
  readonly oneMs: { readonly near: number; readonly far: number; readonly control: number };
  /** Of pairs of slices that were measured one after the other. */
  readonly ofControl: { readonly near: number; readonly far: number };
}

/** The counts are of all that was sent, the warm-up included. */
export interface SendBenchResult {
  readonly figures: SendFigures;
  readonly lost: number;
  readonly doubled: number;
}

const sliceCount = 10;
/** Messages of one turn: as many as a handler that tells a few others. */
const perTurn = 8;
/** Of `oneMs`, in each slice. */
const singles = 10;
const pollMs = 2;
/** For the messages of one slice. */
const takenMsMax = 60_000;

type Side = "near" | "far";
/** One slice of each kind, one after the other: what else the machine does meanwhile, it does to all. */
type Round = Readonly<Record<Side | "control", Rate & { readonly oneMs: number }>>;

/** @throws when a call is refused, or messages of a slice do not arrive */
export async function send(
  mesh: OwnMesh,
  options: SendBenchOptions,
  say: (line: string) => void,
): Promise<SendBenchResult> {
  using bed = await openBed(mesh, options);
  await round(bed); // not measured: code is compiled, sessions are awake
  say(`${sliceCount} slices of each kind, with ${bed.sliceMessages} messages`);
  const rounds: Round[] = [];
  for (let i = 0; i < sliceCount; i += 1) rounds.push(await round(bed));
  const { lost, doubled } = await countedBy(bed);
  return { figures: { ...options, slices: sliceCount, ...figuresOf(rounds) }, lost, doubled };
}

/** What all slices use. */
interface Bed extends Disposable {
  /** At the ingress of the node that has the sessions of that side; tellers are near. */
  readonly at: Readonly<Record<Side, Caller>>;
  readonly pairs: number;
  readonly sliceMessages: number;
  /** By the key of the session that takes them. */
  readonly sent: Map<string, number>;
  cpuUs(): number;
}

/** A session without an owner is born in the node that is called. */
async function openBed(mesh: OwnMesh, { messages, pairs }: SendBenchOptions): Promise<Bed> {
  const { nodes, nats } = mesh.describe();
  const [near, far] = nodes;
  if (near === undefined || far === undefined) throw new Error("a node did not start");
  const at = { near: openCaller(`http://${near.ingress}`), far: openCaller(`http://${far.ingress}`) };
  const pids = [near.pid, far.pid, nats.pid];
  const turns = Math.max(1, Math.round(messages / (sliceCount * pairs * perTurn)));
  for (let pair = 0; pair < pairs; pair += 1) {
    await at.near.call("sender", `t-${pair}`, "send", { to: sinkOf("near", pair), count: 0 }, `born-${pair}`);
    for (const side of ["near", "far"] as const)
      await at[side].call("sink", sinkOf(side, pair), "take", undefined, `born-${pair}`);
  }
  const born = Array.from({ length: pairs }, (_, pair) => [sinkOf("near", pair), sinkOf("far", pair)]);
  return {
    at,
    pairs,
    sliceMessages: turns * pairs * perTurn,
    sent: new Map(born.flat().map((key) => [key, 1])),
    cpuUs: () => pids.reduce((total, pid) => total + cpuUsOf(pid), 0),
    [Symbol.dispose]() {
      at.near[Symbol.dispose]();
      at.far[Symbol.dispose]();
    },
  };
}

const sinkOf = (side: Side, pair: number): string => `${side}-${pair}`;

/** The control stands between the two that are compared with it. */
async function round(bed: Bed): Promise<Round> {
  return {
    near: { ...(await rate(bed, () => told(bed, "near"))), oneMs: await oneMs(() => sendOne(bed, "near")) },
    control: { ...(await rate(bed, () => called(bed))), oneMs: await oneMs(() => take(bed, 0)) },
    far: { ...(await rate(bed, () => told(bed, "far"))), oneMs: await oneMs(() => sendOne(bed, "far")) },
  };
}

/** Every pair tells the messages of a slice, turn after turn; over when the last one was taken. */
async function told(bed: Bed, side: Side): Promise<void> {
  const before = await takenOn(bed, side);
  await ofEachPair(bed, async (pair) => {
    for (let left = bed.sliceMessages / bed.pairs; left > 0; left -= perTurn)
      await sendBatch(bed, side, pair, perTurn);
  });
  await arrived(bed, side, before + bed.sliceMessages);
}

async function sendOne(bed: Bed, side: Side): Promise<void> {
  const before = await takenOn(bed, side);
  await sendBatch(bed, side, 0, 1);
  await arrived(bed, side, before + 1);
}

/** The same turns without messages: a client calls for each. */
async function called(bed: Bed): Promise<void> {
  await ofEachPair(bed, async (pair) => {
    for (let left = bed.sliceMessages / bed.pairs; left > 0; left -= 1) await take(bed, pair);
  });
}

async function ofEachPair({ pairs }: Bed, work: (pair: number) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: pairs }, (_, pair) => work(pair)));
}

let calls = 0;
/** Each call has a key of its own: an attempt more is no message more. */
const nextId = (): string => String((calls += 1));

async function sendBatch({ at, sent }: Bed, side: Side, pair: number, count: number): Promise<void> {
  const to = sinkOf(side, pair);
  sent.set(to, (sent.get(to) ?? 0) + count);
  await at.near.call("sender", `t-${pair}`, "send", { to, count }, nextId());
}

async function take({ at, sent }: Bed, pair: number): Promise<void> {
  const to = sinkOf("near", pair);
  sent.set(to, (sent.get(to) ?? 0) + 1);
  await at.near.call("sink", to, "take", undefined, nextId());
}

/** By all sessions of that side. */
async function takenOn({ at }: Bed, side: Side): Promise<number> {
  const { body } = await at[side].call("sink", sinkOf(side, 0), "taken", undefined, undefined);
  return Number(JSON.parse(body));
}

/** That side has taken so many since its node started. @throws when it has not in time */
async function arrived(bed: Bed, side: Side, count: number): Promise<void> {
  for (const untilMs = performance.now() + takenMsMax; (await takenOn(bed, side)) < count; ) {
    if (performance.now() > untilMs) throw new Error(`messages did not arrive in ${takenMsMax} ms`);
    await delay(pollMs);
  }
}

/** What a slice of so many messages takes, of time and of processors. */
async function rate(bed: Bed, run: () => Promise<void>): Promise<Rate> {
  const [fromMs, fromUs] = [performance.now(), bed.cpuUs()];
  await run();
  const seconds = (performance.now() - fromMs) / 1000;
  return {
    perSecond: bed.sliceMessages / seconds,
    cpuUs: (bed.cpuUs() - fromUs) / bed.sliceMessages,
  };
}

/** The median: one that waited for the machine is not the message's. */
async function oneMs(run: () => Promise<void>): Promise<number> {
  const took: number[] = [];
  for (let i = 0; i < singles; i += 1) {
    const fromMs = performance.now();
    await run();
    took.push(performance.now() - fromMs);
  }
  return median(took);
}

/** As the sessions that took them have counted, session by session. */
async function countedBy({ at, sent }: Bed): Promise<{ readonly lost: number; readonly doubled: number }> {
  let [lost, doubled] = [0, 0];
  for (const [key, count] of sent) {
    const side: Side = key.startsWith("near") ? "near" : "far";
    const { body } = await at[side].call("sink", key, "sum", undefined, undefined);
    const difference = Number(JSON.parse(body)) - count;
    lost += Math.max(0, -difference);
    doubled += Math.max(0, difference);
  }
  return { lost, doubled };
}

/** Ratios are made within a round, and their median taken: the machine may differ from round to round. */
function figuresOf(
  rounds: readonly Round[],
): Pick<SendFigures, "near" | "far" | "control" | "oneMs" | "ofControl"> {
  const middle = (of: (one: Round) => number): number => hundredths(median(rounds.map(of)));
  const rateOf = (kind: keyof Round): Rate => ({
    perSecond: Math.round(middle((one) => one[kind].perSecond)),
    cpuUs: Math.round(middle((one) => one[kind].cpuUs)),
  });
  const oneOf = (kind: keyof Round): number => middle((one) => one[kind].oneMs);
  const ratio = (side: Side): number => middle((one) => one[side].perSecond / one.control.perSecond);
  return {
    near: rateOf("near"),
    far: rateOf("far"),
    control: rateOf("control"),
    oneMs: { near: oneOf("near"), far: oneOf("far"), control: oneOf("control") },
    ofControl: { near: ratio("near"), far: ratio("far") },
  };
}
