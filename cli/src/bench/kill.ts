// Sessions that are called, send, schedule and do steps outside while parts of their mesh are killed: what
// was lost, what was doubled, and how long nobody was answered.
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { prng, wordsOf } from "@voda/stdx";
import { type Caller, openCaller } from "./caller.ts";
import { eachOf } from "./each-of.ts";
import { type Answered, gapPlot, gapsOf, longestGapMs, type WhileDown, whileDown } from "./gaps.ts";
import { type Books, type Order, orderKinds, type Tallies, tally, totalOf } from "./kill-books.ts";
import { type KillOptions, type KillTarget, startKilling } from "./killing.ts";
import { livesOf } from "./lives.ts";
import type { OwnMesh } from "./mesh.ts";
import { tenths } from "./statistics.ts";
import { startUpstream, type Upstream } from "./upstream.ts";

/** How much is asked of how many, under which kills. */
interface KillBenchOptions extends KillOptions {
  readonly clients: number;
  readonly sessions: number;
  readonly seconds: number;
}

/** What `--json` prints, beside the target. */
export interface KillFigures extends Tallies {
  /** Of the run, which it repeats as far as the machine does. */
  readonly seed: number;
  readonly kills: number;
  readonly killsOf: Partial<Record<KillTarget, number>>;
  /** That were answered. */
  readonly calls: number;
  /** Answers that clients without idempotency keys did not get: their calls may have taken effect. */
  readonly unknown: number;
  /** Calls under a key that no attempt of a minute decided, or that were refused for good. */
  readonly undecided: number;
  /** Of all four effects, which are there one by one too. */
  readonly lost: number;
  readonly doubled: number;
  readonly perSecond: number;
  readonly longestGapMs: number;
  /** Longest time from a call's first attempt to its answer: how long its session was away. */
  readonly slowestCallMs: number;
  readonly whileDown: Partial<Record<KillTarget, WhileDown>>;
  /** Nodes that the control plane gave up though nobody had killed them. */
  readonly liveNodesLost: number;
  /** Their leases ended while they lived: their sessions left their memory. */
  readonly liveNodesLapsed: number;
}

/** Figures are there, whatever is wrong with them. */
export interface KillBenchResult {
  readonly figures: KillFigures;
  /** The first call that nothing decided. */
  readonly problem: string | undefined;
}

/** Of the calls, one in so many has no key and is not repeated. */
const unkeyedOneIn = 8;
const timerMsMax = 5_000;
/** Clients whose calls each wake a session, beside the others. */
const wakers = 4;
const sessionsOfWaker = 128;
/** Four times the `idle` of what they call: it sleeps by then. */
const restMs = 2_000;
/** For messages and timers to arrive once nothing is killed any more. */
const settleMsMax = 120_000;
/** For what would come a second time. */
const quietMs = 3_000;

/** What the run has seen so far. */
interface Seen {
  readonly orders: Order[];
  readonly answered: Answered[];
  slowestCallMs: number;
  /** The first of the calls that nothing decided. */
  problem: string | undefined;
  undecided: number;
}

/**
 * Kills for as long as calls are begun; what is on its way by then has the mesh whole again. @throws when a
 * session does not tell its books
 */
export async function kill(
  mesh: OwnMesh,
  options: KillBenchOptions,
  say: (line: string) => void,
): Promise<KillBenchResult> {
  await using upstream = await startUpstream();
  using callers = openCallers(mesh.url);
  const seen: Seen = { orders: [], answered: [], slowestCallMs: 0, problem: undefined, undecided: 0 };
  const fromMs = performance.now();
  const killing = startKilling(mesh, options, say);
  const loaded = load({ callers, upstream, seen, options }, fromMs + options.seconds * 1000);
  await delay(options.seconds * 1000).then(() => killing.stop());
  await loaded;
  const endMs = performance.now();
  say(`${seen.answered.length} calls were answered; waiting for messages and timers`);
  const tallies = await settled(callers.insisting, seen.orders, upstream, say);
  const times = seen.answered.map(({ answeredMs }) => answeredMs).toSorted((a, b) => a - b);
  const { kills } = killing;
  const lives = livesOf(readFileSync(mesh.logOf("controlplane"), "utf8"));
  const killedNodes = kills.filter(({ target }) => target === "node").length;
  for (const line of gapPlot(kills, gapsOf(kills, times, endMs), fromMs)) say(line);
  const { lost, doubled } = totalOf(tallies);
  return {
    figures: {
      seed: options.seed,
      kills: kills.length,
      killsOf: countsOf(kills.map(({ target }) => target)),
      calls: seen.answered.length,
      unknown: seen.orders.filter(({ outcome }) => outcome === "unknown").length,
      undecided: seen.undecided,
      lost,
      doubled,
      ...tallies,
      perSecond: tenths(seen.answered.length / ((endMs - fromMs) / 1000)),
      longestGapMs: Math.round(longestGapMs(times, { fromMs, toMs: endMs }, endMs)),
      slowestCallMs: Math.round(seen.slowestCallMs),
      whileDown: whileDown(kills, seen.answered),
      liveNodesLost: Math.max(0, lives.lost - killedNodes),
      liveNodesLapsed: lives.lapsed,
    },
    problem: seen.problem,
  };
}

/** Down for less, a part may come back between two calls. */
const downMsLeast = 500;

/** The first thing that is not as it must be. */
export function killFailure({ figures, problem }: KillBenchResult): string | undefined {
  const { lost, doubled, whileDown: down } = figures;
  if (lost + doubled > 0) return `${lost} effects were lost and ${doubled} doubled`;
  if (problem !== undefined) return problem;
  if (figures.liveNodesLost > 0) return `${figures.liveNodesLost} living nodes were given up`;
  const away = down.controlplane;
  return away !== undefined && away.downMs >= downMsLeast && (away.calls === 0 || away.wakes === 0)
    ? "while the control plane was down no call was answered, or no session woke"
    : undefined;
}

interface Callers extends Disposable {
  /** Calls again under the same key. */
  readonly insisting: Caller;
  /** Calls once. */
  readonly single: Caller;
}

function openCallers(url: string): Callers {
  const [insisting, single] = [openCaller(url), openCaller(url, { attemptsMax: 1 })];
  return {
    insisting,
    single,
    [Symbol.dispose]() {
      insisting[Symbol.dispose]();
      single[Symbol.dispose]();
    },
  };
}

/** What every client has. */
interface Run {
  readonly callers: Callers;
  readonly upstream: Upstream;
  readonly seen: Seen;
  readonly options: KillBenchOptions;
}

/** Until then calls are begun. Resolves when the last one is over. */
async function load(run: Run, untilMs: number): Promise<void> {
  const { clients, sessions, seed } = run.options;
  const client = async (index: number): Promise<void> => {
    const random = prng(seed * 1000 + index);
    for (let i = 0; performance.now() < untilMs; i += 1) {
      const isKeyed = !random.chance(1 / unkeyedOneIn);
      const order = {
        id: `${index}.${i}`,
        kind: random.pick(orderKinds),
        from: `account/${random.below(sessions)}`,
        to: `account/${random.below(sessions)}`,
        inMs: random.below(timerMsMax),
      };
      await give(run, { ...order, outcome: "unknown" }, { isKeyed, isWake: false });
    }
  };
  const waker = async (index: number): Promise<void> => {
    for (let i = 0; performance.now() < untilMs; i += 1) {
      const from = `sleeper/${index}-${i % sessionsOfWaker}`;
      const order = { id: `${i}`, kind: "call", from, to: from, inMs: 0 } as const;
      await give(run, { ...order, outcome: "unknown" }, { isKeyed: true, isWake: true });
      if (i % sessionsOfWaker === sessionsOfWaker - 1) await delay(restMs);
    }
  };
  await Promise.all([
    ...Array.from({ length: clients }, (_, index) => client(index)),
    ...Array.from({ length: wakers }, (_, index) => waker(index)),
  ]);
}

/** One call, whose outcome the order has then. */
async function give(
  { callers: { insisting, single }, upstream: { url }, seen }: Run,
  order: Order,
  { isKeyed, isWake }: { readonly isKeyed: boolean; readonly isWake: boolean },
): Promise<void> {
  const { id, kind, from, to, inMs } = order;
  seen.orders.push(order);
  const startedMs = performance.now();
  try {
    const [agent, key] = split(from);
    const input = { id, to: split(to)[1], inMs, url };
    const caller = isKeyed ? insisting : single;
    const { ms } = await caller.call(agent, key, kind, input, isKeyed ? id : undefined);
    order.outcome = "acknowledged";
    seen.answered.push({ startedMs, answeredMs: performance.now(), isWake });
    if (isKeyed) seen.slowestCallMs = Math.max(seen.slowestCallMs, ms);
  } catch (error) {
    if (!isKeyed) return; // nobody knows whether it took effect: the books may say either
    seen.undecided += 1;
    seen.problem ??= wordsOf(error);
  }
}

/** What the books say when every message and timer of a committed turn has arrived, and a while after. */
async function settled(
  caller: Caller,
  orders: readonly Order[],
  upstream: Upstream,
  say: (line: string) => void,
): Promise<Tallies> {
  const keys = new Map<string, string[]>();
  const readTallies = async (): Promise<Tallies> => {
    const books = await booksOf(caller, orders);
    keys.clear();
    for (const { order, key } of upstream.effects.values())
      keys.set(order, [...(keys.get(order) ?? []), key]);
    return tally(orders, books, (id) => keys.get(id) ?? []);
  };
  const giveUpMs = performance.now() + settleMsMax;
  for (;;) {
    await delay(quietMs);
    const { lost } = totalOf(await readTallies());
    if (lost === 0 || performance.now() > giveUpMs) break;
    say(`${lost} effects are not there yet`);
  }
  await delay(quietMs);
  return readTallies();
}

/** Of each session that an order names. */
async function booksOf(caller: Caller, orders: readonly Order[]): Promise<ReadonlyMap<string, Books>> {
  const books = new Map<string, Books>();
  await eachOf(new Set(orders.flatMap(({ from, to }) => [from, to])), async (session) => {
    const { body } = await caller.call(...split(session), "books", undefined, undefined);
    books.set(session, JSON.parse(body) as Books);
  });
  return books;
}

/** Agent and key. */
function split(session: string): [string, string] {
  const [agent = "", key = ""] = session.split("/");
  return [agent, key];
}

function countsOf<T extends string>(names: readonly T[]): Partial<Record<T, number>> {
  const counts: Partial<Record<T, number>> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
