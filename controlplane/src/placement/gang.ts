// Sessions that are placed together or not at all.
import type { Placed, Pool, PoolPlan } from "./pool.ts";
import type { PoolRefusal } from "./pool-refusal.ts";
import type { PoolRequest } from "./request.ts";

/** Members of one gang: their placing stays within 10 ms. */
export const gangMembersMax = 1024;

export interface GangPlan {
  readonly kind: "gang";
  /** In the order of the requests. */
  readonly plans: readonly PoolPlan[];
  /** Versions of all nodes that the plan touches. */
  readonly versions: ReadonlyMap<number, number>;
}

export interface GangRefusal {
  readonly kind: "gang-refusal";
  /** Position of the first member that found no place beside the others. */
  readonly member: number;
  readonly refusal: PoolRefusal;
}

/** Places the members on the books one by one, those that ask for most first, and takes all of them back. */
export function decideGang(pool: Pool, requests: readonly PoolRequest[]): GangPlan | GangRefusal {
  if (requests.length > gangMembersMax) {
    const problem = `${requests.length} members exceed gangMembersMax ${gangMembersMax}`;
    return { kind: "gang-refusal", member: gangMembersMax, refusal: { kind: "refusal", reason: "invalid", problem } };
  }
  const order = requests.map((_, member) => member).toSorted((a, b) => sizeOf(requests[b]) - sizeOf(requests[a]) || a - b);
  const booked: Placed[] = [];
  const plans = new Map<number, PoolPlan>();
  let failure: GangRefusal | undefined;
  for (const member of order) {
    const request = requests[member];
    if (request === undefined) continue;
    const plan = pool.decide(request);
    if (plan.kind === "refusal") {
      failure = { kind: "gang-refusal", member, refusal: plan };
      break;
    }
    const placed: Placed = { request, shape: plan.shape, node: plan.node, mask: plan.mask };
    pool.book(placed);
    booked.push(placed);
    plans.set(member, plan);
  }
  for (const placed of booked.toReversed()) pool.unbook(placed);
  if (failure !== undefined) return failure;
  const inOrder = requests.map((_, member) => plans.get(member)).filter((plan) => plan !== undefined);
  const versions = new Map(inOrder.map(({ node }) => [node, pool.books.version[node] as number]));
  return { kind: "gang", plans: inOrder, versions };
}

/** Books all members, or none when a node or a quota has changed since the plan was made. */
export function commitGang(pool: Pool, { plans, versions }: GangPlan): readonly Placed[] | "stale" {
  for (const [node, version] of versions) if (pool.books.version[node] !== version) return "stale";
  const placed: Placed[] = [];
  for (const plan of plans) {
    const version = pool.books.version[plan.node] as number;
    const member = pool.commit({ ...plan, version });
    if (member === "stale") {
      for (const one of placed.toReversed()) pool.unbook(one);
      return "stale";
    }
    placed.push(member);
  }
  return placed;
}

function sizeOf(request: PoolRequest | undefined): number {
  if (request === undefined) return 0;
  const { gpu, cpuMilli } = request.resources;
  const gpus = gpu.kind === "none" ? 0 : gpu.kind === "whole" ? gpu.count : Math.max(gpu.milli / 1000, 0.001);
  return gpus * 1e6 + cpuMilli / 1e4;
}
