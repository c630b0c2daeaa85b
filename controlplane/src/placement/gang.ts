// Sessions that are placed together or not at all.
import type { Kind } from "./kind.ts";
import type { Pool, PoolPlan } from "./pool.ts";
import type { PoolRefusal } from "./pool-refusal.ts";
import type { Contest } from "./ranking.ts";
import type { PoolRequest } from "./request.ts";

/** Members of one gang. */
export const gangMembersMax = 1024;

/** Places for all members; it holds until something else is booked. */
export interface GangPlan {
  readonly type: "gang";
  /** In the order of the requests. */
  readonly plans: readonly PoolPlan[];
}

/** One member found no place, so none is placed. */
export interface GangRefusal {
  readonly type: "gang-refusal";
  /** Position of the first member that found no place beside the others. */
  readonly member: number;
  readonly refusal: PoolRefusal;
}

interface Member {
  readonly member: number;
  readonly request: PoolRequest;
  readonly kind: Kind;
}

/**
 * Places the members on the books one by one, those that ask for most first and equal kinds after each other,
 * and takes all of them back. Afterwards the books have the versions of before, so that no kind has to look
 * at their nodes again.
 */
export function decideGang(pool: Pool, requests: readonly PoolRequest[]): GangPlan | GangRefusal {
  const members = membersOf(pool, requests);
  if ("type" in members) return members;
  const trial = new Trial(pool);
  const plans: PoolPlan[] = [];
  let failure: GangRefusal | undefined;
  for (const { member, request, kind } of members) {
    const plan = trial.place(request, kind);
    if (plan.type === "refusal") {
      failure = { type: "gang-refusal", member, refusal: plan };
      break;
    }
    plans[member] = plan;
  }
  trial.takeBack();
  return failure ?? { type: "gang", plans };
}

/** The members in the order of their placing, or what is wrong with one of them whatever the nodes have. */
function membersOf(pool: Pool, requests: readonly PoolRequest[]): readonly Member[] | GangRefusal {
  if (requests.length > gangMembersMax) {
    return malformed(gangMembersMax, `${requests.length} members exceed gangMembersMax ${gangMembersMax}`);
  }
  const sessions = new Set<string>();
  const members: Member[] = [];
  for (const [member, request] of requests.entries()) {
    const kind = pool.kindOf(request);
    if (typeof kind === "string") return malformed(member, kind);
    if (sessions.has(request.session))
      return malformed(member, `session ${request.session} is in the gang twice`);
    sessions.add(request.session);
    members.push({ member, request, kind });
  }
  return members.sort(
    (a, b) => sizeOf(b.kind) - sizeOf(a.kind) || a.kind.index - b.kind.index || a.member - b.member,
  );
}

function malformed(member: number, problem: string): GangRefusal {
  return { type: "gang-refusal", member, refusal: { type: "refusal", reason: "invalid", problem } };
}

/** Bookings for the length of one decision: what later members look at, and nothing else. */
class Trial {
  readonly #pool: Pool;
  readonly #plans: PoolPlan[] = [];
  readonly #versions = new Map<number, number>();
  #contest: { readonly kind: Kind; readonly picks: Contest | undefined } | undefined;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  place(request: PoolRequest, kind: Kind): PoolPlan | PoolRefusal {
    const { books, quotas, labels } = this.#pool;
    const plan = this.#pool.decideOn(request, kind, () => this.#nodeFor(request, kind));
    if (plan.type === "refusal") return plan;
    const { node, mask } = plan;
    if (!this.#versions.has(node)) this.#versions.set(node, books.version[node] as number);
    books.take(node, kind, mask);
    quotas.take(request.namespace, this.#pool.amountsOf(kind));
    labels.add(node, request);
    this.#contest?.picks?.changed(node);
    this.#plans.push(plan);
    return plan;
  }

  /** The nodes have the versions of before. */
  takeBack(): void {
    const { books, quotas, labels } = this.#pool;
    for (const { node, kind, mask, request } of this.#plans.toReversed()) {
      books.give(node, kind, mask);
      quotas.give(request.namespace, this.#pool.amountsOf(kind));
      labels.remove(node, request);
    }
    for (const [node, version] of this.#versions) books.revert(node, version);
  }

  /** One look at all nodes serves the members of a kind that may go anywhere. */
  #nodeFor(request: PoolRequest, kind: Kind): number | undefined {
    const { ranking, labels } = this.#pool;
    if (this.#contest?.kind !== kind) this.#contest = { kind, picks: ranking.contest(kind) };
    const isFree =
      request.spreadLabel === undefined &&
      request.warmNode === undefined &&
      labels.missesOf(request) === undefined;
    const { picks } = this.#contest;
    return isFree && picks !== undefined ? picks.best() : this.#pool.nodeFor(request, kind);
  }
}

/** GPUs first, then cores. */
function sizeOf({ isFraction, gpuMilli, gpuCount, cpuMilli }: Kind): number {
  const gpus = isFraction ? Math.max(gpuMilli / 1000, 0.001) : gpuCount;
  return gpus * 1e6 + cpuMilli / 1e4;
}
