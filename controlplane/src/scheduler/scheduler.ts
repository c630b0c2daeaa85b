// Places sessions: asks the pool, reserves what it decided until the node confirms it, remembers and counts
// the decisions.
import { type SessionName, type SessionToken, sessionToken } from "@voda/proto/session";
import { assert, type Clock } from "@voda/stdx";
import type { Agents } from "../agents/agents.ts";
import type { Directory } from "../directory/directory.ts";
import {
  decideGang,
  type GangRefusal,
  type PoolConstraint,
  type PoolPlan,
  type PoolRefusal,
  type PoolRequest,
  Shadow,
  type ShadowCounters,
  Stranded,
} from "../placement/index.ts";
import { type Decision, type Plan, reasonsAgainst, reasonsFor } from "./decision.ts";
import { DecisionLog } from "./decision-log.ts";
import type { RoomCounters, RoomMaker } from "./room-maker.ts";
import { Upkeep } from "./upkeep.ts";

export interface SchedulerOptions {
  readonly agents: Agents;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly rooms: RoomMaker;
}

/** With the time after which asking again may help. */
export type Refused = PoolRefusal & { readonly retryMs: number };

/** `no_node`: none was ready. `invalid`: no node could be asked for that. */
export type RefusalReason = PoolConstraint | "quota" | "invalid" | "no_node";

export interface Counters {
  readonly decisions: number;
  readonly refusals: ReadonlyMap<RefusalReason, number>;
  readonly strandedMilli: number;
  /** By the reference policy. */
  readonly shadow: ReadonlyMap<string, ShadowCounters>;
  readonly rooms: RoomCounters;
}

/** When to ask again while no room is being made. */
export const refusedRetryMs = 1_000;
/** A request that comes this long after its refusal, or later, is a new one. */
const asksAgainMsMax = 60_000;

export class Scheduler implements Disposable {
  readonly #options: SchedulerOptions;
  readonly #log = new DecisionLog();
  readonly #upkeep: Upkeep;
  readonly #stranded: Stranded;
  readonly #shadow: Shadow;
  #decisions = 0;
  readonly #refusals = new Map<RefusalReason, number>();

  constructor(options: SchedulerOptions) {
    const { agents, directory, clock } = options;
    this.#options = options;
    this.#upkeep = new Upkeep({ pool: directory.pool, wanted: () => agents.wanted(), clock });
    this.#stranded = new Stranded(directory.pool);
    this.#shadow = new Shadow(directory.pool);
  }

  [Symbol.dispose](): void {
    this.#upkeep[Symbol.dispose]();
  }

  /**
   * A plan is reserved when this returns, for as long as a grant for it may be used. One that still is gets
   * no new decision.
   */
  place(name: SessionName, session = sessionToken(name)): Plan | Refused {
    const nowMs = this.#now();
    const asked = { name, session };
    const known = this.#renew(asked, nowMs);
    if (known !== undefined) return known;
    const request = this.#request(asked);
    const planned = this.#options.directory.pool.decide(request);
    if (planned.type === "plan") {
      this.#compare(planned);
      return this.#reserve(asked, planned, nowMs);
    }
    this.#refuse(asked, planned);
    return { ...planned, retryMs: this.#makeRoom(planned, request) ?? refusedRetryMs };
  }

  /** Plans for all of the sessions, as `place` makes them, or for none. Nobody goes to sleep for them. */
  placeAll(names: readonly SessionName[]): readonly Plan[] | GangRefusal {
    const nowMs = this.#now();
    const all = names.map((name) => ({ name, session: sessionToken(name) }));
    const known = all.map((asked) => this.#renew(asked, nowMs));
    const rest = all.filter((_, i) => known[i] === undefined);
    const requests = rest.map((asked) => this.#request(asked));
    const planned = decideGang(this.#options.directory.pool, requests);
    if (planned.type === "gang-refusal") {
      const member = rest[planned.member];
      assert(member !== undefined, `a gang of ${rest.length} is refused for its member ${planned.member}`);
      this.#refuse(member, planned.refusal);
      return { ...planned, member: all.indexOf(member) };
    }
    const plans = new Map(planned.plans.map((plan) => [plan.request.session, plan]));
    return all.map((asked, i) => {
      const plan = plans.get(asked.session);
      const place = known[i] ?? (plan && this.#reserve(asked, plan, nowMs));
      assert(place !== undefined, "a gang's plan has every member");
      return place;
    });
  }

  /** Gives up what was reserved for a session and its node has not confirmed. */
  release(name: SessionName): void {
    this.#options.directory.release(sessionToken(name));
  }

  decisionOf(token: SessionToken): Decision | undefined {
    return this.#log.get(token);
  }

  /** Nodes came or went: what is made from them is made anew. */
  nodesChanged(): void {
    this.#upkeep.nodesChanged();
  }

  /** Counted since the start; what is stranded is counted now. */
  counters(): Counters {
    const { agents, rooms } = this.#options;
    const strandedMilli = this.#stranded.milli(agents.wanted());
    const [shadow, made] = [this.#shadow.counters(), rooms.counters];
    return { decisions: this.#decisions, refusals: this.#refusals, strandedMilli, shadow, rooms: made };
  }

  #now(): number {
    const { directory, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    directory.expire(nowMs);
    return nowMs;
  }

  #renew({ session }: Asked, nowMs: number): Plan | undefined {
    const owner = this.#options.directory.renew(session, nowMs);
    return owner && { type: "plan", node: owner.node, devices: owner.devices };
  }

  #request({ name, session }: Asked): PoolRequest {
    const { agents, directory } = this.#options;
    const request = agents.requestOf(name, session);
    // Prices are of GPUs: other requests would thin out the mix that they are made from.
    if (request.resources.gpu.type !== "none" && !this.#asksAgain(session)) directory.pool.arrived(request);
    const warmNode = directory.warmNodeOf(session);
    return warmNode === undefined ? request : { ...request, warmNode };
  }

  /** After a refusal a caller asks until there is room: that is one arrival. */
  #asksAgain(session: SessionToken): boolean {
    const last = this.#log.get(session);
    return last?.outcome.type === "refusal" && this.#options.clock.wallMs() - last.decidedMs < asksAgainMsMax;
  }

  #reserve(asked: Asked, planned: PoolPlan, nowMs: number): Plan {
    const { directory } = this.#options;
    const reasons = reasonsFor(directory.pool, planned);
    const plan: Plan = { type: "plan", node: planned.nodeId, devices: directory.pool.devicesOf(planned) };
    directory.reserve(asked.session, planned, nowMs);
    this.#decided(asked, plan, reasons);
    return plan;
  }

  #refuse(asked: Asked, refusal: PoolRefusal): void {
    const reason = reasonOf(refusal);
    this.#refusals.set(reason, (this.#refusals.get(reason) ?? 0) + 1);
    this.#decided(asked, refusal, reasonsAgainst(refusal));
  }

  #decided(
    { name, session }: Asked,
    outcome: Plan | PoolRefusal,
    reasons: Pick<Decision, "failed" | "candidates">,
  ): void {
    const { pool } = this.#options.directory;
    const decidedMs = this.#options.clock.wallMs();
    const [policy, nodes] = [pool.policy.name, pool.books.nodes];
    this.#decisions += 1;
    this.#log.add(session, { name, decidedMs, outcome, policy, nodes, ...reasons });
    this.#upkeep.decided();
  }

  /** The policies differ in what they do with GPUs. */
  #compare(plan: PoolPlan): void {
    const { clock } = this.#options;
    const startMs = clock.monotonicMs();
    if (plan.kind.gpuCount === 0 || !this.#shadow.isDue(startMs)) return;
    this.#shadow.compare(plan);
    const endMs = clock.monotonicMs();
    this.#shadow.compared(endMs - startMs, endMs);
  }

  /** In how many milliseconds there may be room, when some is being made. */
  #makeRoom(refusal: PoolRefusal, request: PoolRequest): number | undefined {
    if (refusal.reason !== "no_room" || request.resources.gpu.type === "none") return undefined;
    const { directory, rooms } = this.#options;
    const isConfirmed = (session: string): boolean => directory.holderOf(session) !== undefined;
    return rooms.makeFor({ pool: directory.pool, request, isConfirmed });
  }
}

interface Asked {
  readonly name: SessionName;
  readonly session: SessionToken;
}

function reasonOf(refusal: PoolRefusal): RefusalReason {
  return "nearest" in refusal ? (refusal.nearest?.constraint ?? "no_node") : refusal.reason;
}
