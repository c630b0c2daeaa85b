// A plan for a request that fits nowhere: a few sessions leave one node, to other nodes or to sleep, so that
// it fits there. Only a plan: it is made on the books and taken back, and `applyRoom` books it if nothing
// changed in between.
import { assert } from "@voda/stdx";
import { demandMilli, type Kind } from "./kind.ts";
import type { Placed, Pool, PoolPlan } from "./pool.ts";
import { couldHost } from "./pool-refusal.ts";
import type { PoolRequest } from "./request.ts";
import { gpuMilliWhole } from "./resources.ts";

export interface RoomOptions {
  readonly how: "move" | "sleep";
  /** Which sessions may leave; sessions that hold several GPUs never do. */
  readonly mayLeave: (placed: Placed) => boolean;
  /** Sessions that may leave for one request. */
  readonly most: number;
  /** Looks at so many nodes only, from the first on and around. Default: all. */
  readonly among?: { readonly first: number; readonly nodes: number };
}

export interface Leaving {
  readonly session: string;
  readonly from: number;
  /** Where it goes; absent when it sleeps. */
  readonly to: { readonly node: number; readonly mask: number } | undefined;
}

export interface RoomPlan {
  readonly leaving: readonly Leaving[];
  readonly plan: PoolPlan;
  /** Versions of all nodes that the plan touches. */
  readonly versions: ReadonlyMap<number, number>;
}

/** Nodes that are tried, those with the fewest to leave first. */
const TRIES_MAX = 8;
/** What the leaving of a session costs beside its GPU milli. */
const LEAVING_MILLI = 200;

export function planRoom(pool: Pool, request: PoolRequest, options: RoomOptions): RoomPlan | undefined {
  const shape = pool.shapeOf(request);
  if (typeof shape === "string" || pool.quotas.missOf(request.namespace, pool.amountsOf(shape)) !== undefined)
    return undefined;
  const candidates: { node: number; leaving: readonly Placed[]; cost: number }[] = [];
  const { first, nodes } = options.among ?? { first: 0, nodes: pool.books.count };
  for (let i = 0; i < Math.min(nodes, pool.books.count); i++) {
    const node = (first + i) % pool.books.count;
    const leaving = leavingFrom(pool, node, { shape, options });
    if (leaving === undefined || leaving.length === 0 || leaving.length > options.most) continue;
    candidates.push({
      node,
      leaving,
      cost: leaving.reduce((sum, one) => sum + milliOf(one.shape) + LEAVING_MILLI, 0),
    });
  }
  candidates.sort((a, b) => a.leaving.length - b.leaving.length || a.cost - b.cost);
  for (const { node, leaving } of candidates.slice(0, TRIES_MAX)) {
    const plan = tryOn(pool, node, { request, shape, leaving, how: options.how });
    if (plan !== undefined) return plan;
  }
  return undefined;
}

/** Books the plan; `stale` when a node that it touches, or the namespace's quota, has changed since. */
export function applyRoom(pool: Pool, { leaving, plan, versions }: RoomPlan): Placed | "stale" {
  const { request, shape } = plan;
  for (const [node, version] of versions) if (pool.books.version[node] !== version) return "stale";
  if (pool.sessions.has(request.session)) return "stale";
  if (pool.quotas.missOf(request.namespace, pool.amountsOf(shape)) !== undefined) return "stale";
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
  readonly shape: Kind;
  readonly options: RoomOptions;
}

/**
 * The fewest sessions whose leaving would give the node the room, as far as amounts go; `undefined` when none
 * would.
 */
function leavingFrom(pool: Pool, node: number, { shape, options }: Wanted): readonly Placed[] | undefined {
  const { books } = pool;
  if (books.isReady[node] === 0 || !couldHost(books, node, shape)) return undefined;
  const onDevices = shape.gpuCount === 0 ? [] : leavingDevices(pool, node, { shape, options });
  if (onDevices === undefined) return undefined;
  const leaving = new Set(onDevices);
  let cpuMilli = shape.cpuMilli - (books.cpuMilli[node] as number);
  let memoryMib = shape.memoryMib - (books.memoryMib[node] as number);
  for (const one of leaving) {
    cpuMilli -= one.shape.cpuMilli;
    memoryMib -= one.shape.memoryMib;
  }
  if (cpuMilli <= 0 && memoryMib <= 0) return [...leaving];
  const isMove = options.how === "move";
  const others = [...pool.sessionsOn(node)].filter(
    (one) =>
      one.shape.gpuCount <= 1 &&
      !(isMove && one.shape === shape) &&
      !leaving.has(one) &&
      options.mayLeave(one),
  );
  others.sort((a, b) => b.shape.cpuMilli - a.shape.cpuMilli);
  for (const one of others) {
    if (cpuMilli <= 0 && memoryMib <= 0) break;
    leaving.add(one);
    cpuMilli -= one.shape.cpuMilli;
    memoryMib -= one.shape.memoryMib;
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
  if (options.length < wanted.shape.gpuCount) return undefined;
  const milli = (leaving: readonly Placed[]): number =>
    leaving.reduce((sum, one) => sum + milliOf(one.shape), 0);
  options.sort((a, b) => a.length - b.length || milli(a) - milli(b));
  return options.slice(0, wanted.shape.gpuCount).flat();
}

/** One session that holds enough if there is one, else the largest until it is enough. */
function leavingDevice(
  pool: Pool,
  { node, position }: { readonly node: number; readonly position: number },
  { shape, options }: Wanted,
): readonly Placed[] | undefined {
  const { books } = pool;
  const device = node * books.stride + position;
  if (!books.isModelFor(device, shape)) return undefined;
  if (books.takes(device, shape)) return [];
  const there = [...pool.sessionsOn(node)].filter(
    (one) => ((one.mask >> position) & 1) === 1 && one.shape.gpuCount === 1 && options.mayLeave(one),
  );
  const mustBeEmpty = !shape.isFraction || !books.isModeFor(device, shape);
  const wanted = mustBeEmpty ? gpuMilliWhole : milliOf(shape);
  const missing = wanted - (books.deviceMilli[device] as number);
  there.sort((a, b) => milliOf(a.shape) - milliOf(b.shape));
  const enough = there.find((one) => milliOf(one.shape) >= missing);
  if (enough !== undefined)
    return options.how === "move" && isSwap(enough.shape, shape) ? undefined : [enough];
  const leaving: Placed[] = [];
  let freed = 0;
  for (const one of there.toReversed()) {
    if (freed >= missing) break;
    leaving.push(one);
    freed += milliOf(one.shape);
  }
  return freed >= missing ? leaving : undefined;
}

/** A session that moves for one of its own size wins nothing: the newcomer could go where it goes. */
function isSwap(leaving: Kind, coming: Kind): boolean {
  return coming.gpuCount === 1 && milliOf(leaving) === milliOf(coming);
}

interface Trial {
  readonly request: PoolRequest;
  readonly shape: Kind;
  readonly leaving: readonly Placed[];
  readonly how: RoomOptions["how"];
}

/** Does it on the books and takes everything back. */
function tryOn(pool: Pool, node: number, { request, shape, leaving, how }: Trial): RoomPlan | undefined {
  const before = leaving.map((one) => ({ node: one.node, mask: one.mask }));
  for (const one of leaving) pool.unbook(one);
  const isRoom = pool.books.fits(node, shape) && pool.labels.missesOf(request)?.(node) === undefined;
  let result: { leaving: readonly Leaving[]; plan: PoolPlan } | undefined;
  if (isRoom) {
    const plan = pool.planOn(request, shape, node);
    const coming: Placed = { request, shape, node, mask: plan.mask };
    pool.book(coming);
    const gone = how === "sleep" ? leaving.map(asleep) : findPlaces(pool, node, leaving);
    pool.unbook(coming);
    if (gone !== undefined) result = { leaving: gone, plan };
  }
  for (const [i, one] of leaving.entries()) pool.book(Object.assign(one, before[i]));
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
  for (const one of leaving.toSorted((a, b) => milliOf(b.shape) - milliOf(a.shape))) {
    const to = pool.nodeFor(one.request, one.shape, { excluded: node });
    if (to === undefined) break;
    const mask = pool.ranking.maskOn(one.shape, to);
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

function milliOf(shape: Kind): number {
  return shape.isFraction && shape.gpuMilli === 0 ? gpuMilliWhole : demandMilli(shape, 0);
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
