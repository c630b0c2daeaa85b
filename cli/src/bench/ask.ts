// A session that asks another one, in slices that take turns with slices of a control: what an ask takes.
import { median } from "@voda/stdx/bench";
import { programs } from "../programs.ts";
import type { EchoOrder, Timed } from "./ask-control.ts";
import { type Caller, openCaller } from "./caller.ts";
import { cpuUsOf } from "./cpu.ts";
import { Forked } from "./forked.ts";
import type { OwnMesh } from "./mesh.ts";
import { hundredths } from "./statistics.ts";

/** How much is asked. */
export interface AskBenchOptions {
  /** Of each kind of asks. */
  readonly seconds: number;
  /** Asks on their way when they are piped. */
  readonly atOnce: number;
}

/** Medians over the slices; each in microseconds, or asks a second. */
interface AskFigures {
  readonly sequential: { readonly p50Us: number; readonly p99Us: number };
  readonly piped: { readonly perSecond: number };
  readonly durable: { readonly p50Us: number; readonly cpuUs: number };
  readonly remote: { readonly p50Us: number; readonly perSecond: number };
  /** Of node and nats, for a piped one within a node. */
  readonly cpuUsPerAsk: number;
  readonly control: {
    readonly sequential: { readonly p50Us: number; readonly p99Us: number };
    readonly piped: { readonly perSecond: number };
    readonly cpuUsPerAsk: number;
  };
  /** Of pairs that were measured one after the other. */
  readonly ofControl: { readonly sequential: number; readonly piped: number; readonly cpu: number };
}

/** The counts are of durable asks, the warm-up included. */
export interface AskBenchResult {
  readonly figures: AskFigures & AskBenchOptions & { readonly slices: number };
  readonly lost: number;
  readonly doubled: number;
}

const sliceCount = 10;
/** Rounds before the first that counts. */
const warmUpSlices = 2;

/** One slice. `cpuUs`: for each ask, of all processes that serve it. */
type Slice = Timed & { readonly cpuUs: number };
type Kind = "sequential" | "piped" | "durable" | "remote" | "remotePiped" | "echo" | "echoPiped";
/** One slice of each kind, one after the other: what else the machine does meanwhile, it does to all. */
type Round = Readonly<Record<Kind, Slice>>;

/** @throws when a process does not start, or a call is refused */
export async function ask(
  mesh: OwnMesh,
  options: AskBenchOptions,
  say: (line: string) => void,
): Promise<AskBenchResult> {
  await using resources = new AsyncDisposableStack();
  const control = resources.use(new Forked(programs().askControl, "the control"));
  const { nodes, nats } = mesh.describe();
  const [near, far] = nodes;
  if (near === undefined || far === undefined) throw new Error("a node did not start");
  const [here, there] = [near, far].map(({ ingress }) => resources.use(openCaller(`http://${ingress}`)));
  if (here === undefined || there === undefined) throw new Error("a node has no ingress");
  const key = `ask-${mesh.startedAt}`;
  // A session without an owner is born in the node that is called.
  await here.call("target", key, "add", 0, `${key}-born`);
  await there.call("target", `${key}-far`, "add", 0, `${key}-born`);

  const { seconds, atOnce } = options;
  const ms = (seconds * 1000) / sliceCount;
  // All that serve an ask: both nodes and the store. The caller only starts a slice.
  const pids = [near.pid, far.pid, nats.pid];
  const asked = (method: "reads" | "adds", to: string, window: number): Promise<Slice> =>
    counted(pids, async () => timedBy(here, key, method, { to, ms, atOnce: window }));
  const echoed = (window: number): Promise<Slice> => {
    const order: EchoOrder = { ms, atOnce: window };
    return counted([control.pid], () => control.ask<Timed>(order));
  };
  let durable = 0;
  const round = async (): Promise<Round> => {
    // The warm-up counts too: its durable asks are in the sum that is read at the end.
    const slices = {
      sequential: await asked("reads", key, 1),
      echo: await echoed(1),
      piped: await asked("reads", key, atOnce),
      echoPiped: await echoed(atOnce),
      durable: await asked("adds", key, 1),
      remote: await asked("reads", `${key}-far`, 1),
      remotePiped: await asked("reads", `${key}-far`, atOnce),
    };
    durable += slices.durable.asks;
    return slices;
  };
  for (let i = 0; i < warmUpSlices; i += 1) await round();
  say(`${sliceCount} slices of ${ms} ms of each kind, ${atOnce} asks at once when they are piped`);
  const rounds: Round[] = [];
  for (let i = 0; i < sliceCount; i += 1) rounds.push(await round());
  // As the session that was asked has counted them.
  const { body } = await here.call("target", key, "sum", undefined, undefined);
  const sum = Number(JSON.parse(body));
  return {
    figures: { ...figuresOf(rounds), ...options, slices: sliceCount },
    lost: Math.max(0, durable - sum),
    doubled: Math.max(0, sum - durable),
  };
}

/** One attempt per slice: a repeated one would ask again. */
async function timedBy(caller: Caller, key: string, method: string, order: object): Promise<Timed> {
  const { body, attempts } = await caller.call("asker", key, method, order, undefined);
  if (attempts > 1) throw new Error(`${method} was answered at attempt ${attempts} only`);
  return JSON.parse(body) as Timed;
}

/** Of whole processes: what else they do in a slice is part of the price. */
async function counted(pids: readonly number[], run: () => Promise<Timed>): Promise<Slice> {
  const cpuUs = (): number => pids.reduce((total, pid) => total + cpuUsOf(pid), 0);
  const before = cpuUs();
  const timed = await run();
  return { ...timed, cpuUs: (cpuUs() - before) / timed.asks };
}

/** Ratios are made within a round, and their median taken: the machine may differ from round to round. */
function figuresOf(rounds: readonly Round[]): AskFigures {
  const middle = (of: (round: Round) => number): number => hundredths(median(rounds.map(of)));
  /** Asks on their way overlap: their times do not add up to the slice. */
  const perSecond = ({ asks, ms }: Slice): number => (asks * 1000) / ms;
  return {
    sequential: {
      p50Us: middle(({ sequential }) => sequential.p50Us),
      p99Us: middle(({ sequential }) => sequential.p99Us),
    },
    piped: { perSecond: middle(({ piped }) => perSecond(piped)) },
    durable: {
      p50Us: middle(({ durable }) => durable.p50Us),
      cpuUs: middle(({ durable }) => durable.cpuUs),
    },
    remote: {
      p50Us: middle(({ remote }) => remote.p50Us),
      perSecond: middle(({ remotePiped }) => perSecond(remotePiped)),
    },
    cpuUsPerAsk: middle(({ piped }) => piped.cpuUs),
    control: {
      sequential: {
        p50Us: middle(({ echo: one }) => one.p50Us),
        p99Us: middle(({ echo: one }) => one.p99Us),
      },
      piped: { perSecond: middle(({ echoPiped }) => perSecond(echoPiped)) },
      cpuUsPerAsk: middle(({ echoPiped }) => echoPiped.cpuUs),
    },
    ofControl: {
      sequential: middle(({ sequential, echo: one }) => sequential.p50Us / one.p50Us),
      piped: middle(({ piped, echoPiped }) => perSecond(piped) / perSecond(echoPiped)),
      cpu: middle(({ piped, echoPiped }) => piped.cpuUs / echoPiped.cpuUs),
    },
  };
}
