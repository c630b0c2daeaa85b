// A plan for a request that fits nowhere: a few sessions leave one node, to other nodes or to sleep, so that
// it fits there. Only a plan: it is made on the books and taken back, and `applyRoom` books it if nothing
// changed in between.
import { gpuMilliWhole } from "@voda/proto/placement";
import { assert } from "@voda/stdx";
import { demandMilli, type Kind } from "./kind.ts";
import type { Placed, Pool, PoolPlan } from "./pool.ts";
import { couldHost } from "./pool-refusal.ts";
import type { PoolRequest } from "./request.ts";

/** Who may leave, how, and how many nodes may be looked at: a plan must stay within its time. */
export interface RoomOptions {
  readonly how: "move" | "sleep";
  /** Which sessions may leave; sessions that hold several GPUs never do. */
  readonly mayLeave: (placed: Placed) => boolean;
  /** Sessions that may leave for one request. */
  readonly most: number;
  /** Looks at so many nodes only, from the first on and around. Default: all. */
  readonly among?: { readonly first: number; readonly nodes: number };
}

/** A session that leaves its place; `from` is the slot of its node. */
export interface Leaving {
  readonly session: string;
  readonly from: number;
  /** Where it goes; absent when it sleeps. */
  readonly to: { readonly node: number; readonly mask: number } | undefined;
}

/** The fewest sessions found whose leaving lets the request in. Nothing is booked. */
export interface RoomPlan {
  readonly leaving: readonly Leaving[];
  readonly plan: PoolPlan;
  /** Versions of all nodes that the plan touches. */
  readonly versions: ReadonlyMap<number, number>;
}

/** Nodes that are tried, those with the fewest to leave first. */
const triesMax = 8;
/** What the leaving of a session costs beside its GPU milli. */
const leavingMilli = 200;

/** `undefined` when no node that was looked at can be freed enough. */
export function planRoom(pool: Pool, request: PoolRequest, options: RoomOptions): RoomPlan | undefined {
  const kind = pool.kindOf(request);
  if (typeof kind === "string" || pool.quotas.missOf(request.namespace, pool.amountsOf(kind)) !== undefined)
    return undefined;
  const candidates: { node: number; leaving: readonly Placed[]; cost: number }[] = [];
  const { first, nodes } = options.among ?? { first: 0, nodes: pool.books.count };
  for (let i = 0; i < Math.min(nodes, pool.books.count); i++) {
    const node = (first + i) % pool.books.count;
    const leaving = leavingFrom(pool, node, { kind, options });
    if (leaving === undefined || leaving.length === 0 || leaving.length > options.most) continue;
    candidates.push({
      node,
      leaving,
      cost: leaving.reduce((sum, one) => sum + milliOf(one.kind) + leavingMilli, 0),
    });
  }
  candidates.sort((a, b) => a.leaving.length - b.leaving.length || a.cost - b.cost);
  for (const { node, leaving } of candidates.slice(0, triesMax)) {
    const plan = tryOn(pool, node, { request, kind, leaving, how: options.how });
    if (plan !== undefined) return plan;
  }
  return undefined;
}

/** Books the plan; `stale` when a node that it touches, or the namespace's quota, has changed since. */
export function applyRoom(pool: Pool, { leaving, plan, versions }: RoomPlan): Placed | "stale" {
  const { request, kind } = plan;
  for (const [node, version] of versions) if (pool.books.version[node] !== version) return "stale";
  if (pool.sessions.has(request.session)) return "stale";
  if (pool.quotas.missOf(request.namespace, pool.amountsOf(kind)) !== undefined) return "stale";
  const moving: { placed: Placed; to: { readonly node: number; readonly mask: number } }[] = [];
  for (const { session, to } of leaving) {
    const placed = pool.sessions.get(session);
    assert(placed !== undefined, `session ${session} has left a node whose version is the same`);
    if (to === undefined) pool.release(session);
    else {
      pool.unbook(placed);
      moving.push({ placed, to });
    }
  }
  const coming = pool.commit({ ...plan, version: pool.books.version[plan.node] as number });
  assert(coming !== "stale", "the plan was checked before anything left");
  for (const { placed, to } of moving) pool.book(Object.assign(placed, to));
  return coming;
}

interface Wanted {
  readonly kind: Kind;
  readonly options: RoomOptions;
}

/**
 * The fewest sessions whose leaving would give the node the room, as far as amounts go; `undefined` when none
 * would.
 */
function leavingFrom(pool: Pool, node: number, { kind, options }: Wanted): readonly Placed[] | undefined {
  const { books } = pool;
  if (books.isReady[node] === 0 || !couldHost(books, node, kind)) return undefined;
  const onDevices = kind.gpuCount === 0 ? [] : leavingDevices(pool, node, { kind, options });
  if (onDevices === undefined) return undefined;
  const leaving = new Set(onDevices);
  let cpuMilli = kind.cpuMilli - (books.cpuMilli[node] as number);
  let memoryMib = kind.memoryMib - (books.memoryMib[node] as number);
  for (const one of leaving) {
    cpuMilli -= one.kind.cpuMilli;
    memoryMib -= one.kind.memoryMib;
  }
  if (cpuMilli <= 0 && memoryMib <= 0) return [...leaving];
  const isMove = options.how === "move";
  const others = [...pool.sessionsOn(node)].filter(
    (one) =>
      one.kind.gpuCount <= 1 && !(isMove && one.kind === kind) && !leaving.has(one) && options.mayLeave(one),
  );
  others.sort((a, b) => b.kind.cpuMilli - a.kind.cpuMilli);
  for (const one of others) {
    if (cpuMilli <= 0 && memoryMib <= 0) break;
    leaving.add(one);
    cpuMilli -= one.kind.cpuMilli;
    memoryMib -= one.kind.memoryMib;
  }
  return cpuMilli <= 0 && memoryMib <= 0 ? [...leaving] : undefined;
}

/** The cheapest devices to free, as many as are asked for. */
function leavingDevices(pool: Pool, node: number, wanted: Wanted): readonly Placed[] | undefined {
  const options: (readonly Placed[])[] = [];
  for (let position = 0; position < (pool.books.gpus[node] as number); position++) {
    const leaving = leavingDevice(pool, { node, position }, wanted);
    if (leaving !== undefined) options.push(leaving);
  }
  if (options.length < wanted.kind.gpuCount) return undefined;
  const milli = (leaving: readonly Placed[]): number =>
    leaving.reduce((sum, one) => sum + milliOf(one.kind), 0);
  options.sort((a, b) => a.length - b.length || milli(a) - milli(b));
  return options.slice(0, wanted.kind.gpuCount).flat();
}

/** One session that holds enough if there is one, else the largest until it is enough. */
function leavingDevice(
  pool: Pool,
  { node, position }: { readonly node: number; readonly position: number },
  { kind, options }: Wanted,
): readonly Placed[] | undefined {
  const { books } = pool;
  const device = node * books.stride + position;
  if (!books.isModelFor(device, kind)) return undefined;
  if (books.takes(device, kind)) return [];
  const there = [...pool.sessionsOn(node)].filter(
    (one) => ((one.mask >> position) & 1) === 1 && one.kind.gpuCount === 1 && options.mayLeave(one),
  );
  // A device has one mode and one tenant at a time: another one needs all of it.
  const mustBeEmpty = !kind.isFraction || !books.isModeFor(device, kind);
  const wanted = mustBeEmpty ? gpuMilliWhole : milliOf(kind);
  const missing = wanted - (books.deviceMilli[device] as number);
  there.sort((a, b) => milliOf(a.kind) - milliOf(b.kind));
  const enough = there.find((one) => milliOf(one.kind) >= missing);
  if (enough !== undefined) return options.how === "move" && isSwap(enough.kind, kind) ? undefined : [enough];
  const leaving: Placed[] = [];
  let freed = 0;
  for (const one of there.toReversed()) {
    if (freed >= missing) break;
    leaving.push(one);
    freed += milliOf(one.kind);
  }
  return freed >= missing ? leaving : undefined;
}

/** A session that moves for one of its own size wins nothing: the newcomer could go where it goes. */
function isSwap(leaving: Kind, coming: Kind): boolean {
  return coming.gpuCount === 1 && milliOf(leaving) === milliOf(coming);
}

interface Trial {
  readonly request: PoolRequest;
  readonly kind: Kind;
  readonly leaving: readonly Placed[];
  readonly how: RoomOptions["how"];
}

/** Does it on the books and takes everything back. */
function tryOn(pool: Pool, node: number, { request, kind, leaving, how }: Trial): RoomPlan | undefined {
  for (const one of leaving) pool.unbook(one);
  const isRoom = pool.books.fits(node, kind) && pool.labels.missesOf(request)?.(node) === undefined;
  let result: { leaving: readonly Leaving[]; plan: PoolPlan } | undefined;
  if (isRoom) {
    const plan = pool.planOn(request, kind, node);
    const coming: Placed = { request, kind, node, mask: plan.mask };
    pool.book(coming);
    const gone = how === "sleep" ? leaving.map(asleep) : findPlaces(pool, node, leaving);
    pool.unbook(coming);
    if (gone !== undefined) result = { leaving: gone, plan };
  }
  for (const one of leaving) pool.book(one);
  if (result === undefined) return undefined;
  const touched = [node, ...result.leaving.flatMap(({ to }) => (to === undefined ? [] : [to.node]))];
  return { ...result, versions: new Map(touched.map((one) => [one, pool.books.version[one] as number])) };
}

function asleep({ request, node }: Placed): Leaving {
  return { session: request.session, from: node, to: undefined };
}

/**
 * A place for each one elsewhere, the largest first, by the pool's own policy; `undefined` when one has none.
 */
function findPlaces(pool: Pool, node: number, leaving: readonly Placed[]): readonly Leaving[] | undefined {
  const booked: Placed[] = [];
  const places = new Map<Placed, Leaving>();
  for (const one of leaving.toSorted((a, b) => milliOf(b.kind) - milliOf(a.kind))) {
    const to = pool.nodeFor(one.request, one.kind, { excluded: node });
    if (to === undefined) break;
    const mask = pool.ranking.maskOn(one.kind, to);
    const there: Placed = { ...one, node: to, mask };
    pool.book(there);
    booked.push(there);
    places.set(one, { session: one.request.session, from: node, to: { node: to, mask } });
  }
  for (const there of booked) pool.unbook(there);
  return places.size < leaving.length
    ? undefined
    : leaving.map((one) => places.get(one)).filter((one) => one !== undefined);
}

/** A fraction that is named by its memory counts as a whole GPU: how much it is depends on the card. */
function milliOf(kind: Kind): number {
  return kind.isFraction && kind.gpuMilli === 0 ? gpuMilliWhole : demandMilli(kind, 0);
}

/** Moves that may still be made: a number per minute, saved up to one minute's worth. */
export class MoveBudget {
  readonly #perMinute: number;
  #left: number;
  #nowMs: number;

  constructor(perMinute: number, nowMs: number) {
    this.#perMinute = perMinute;
    this.#left = perMinute;
    this.#nowMs = nowMs;
  }

  /** Time that goes back earns nothing, and takes nothing away. */
  left(nowMs: number): number {
    const earned = (Math.max(0, nowMs - this.#nowMs) * this.#perMinute) / 60_000;
    this.#left = Math.min(this.#perMinute, this.#left + earned);
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    return Math.floor(this.#left);
  }

  /** Whether so many moves could be spent; none are when not. */
  spend(moves: number, nowMs: number): boolean {
    if (this.left(nowMs) < moves) return false;
    this.#left -= moves;
    return true;
  }
}
