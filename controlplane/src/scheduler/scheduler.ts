// Places sessions: asks the pool, reserves what it decided until the node confirms it, remembers and counts
// the decisions.
import { type SessionName, type SessionToken, sessionToken } from "@voda/proto/session";
import { assert, type Clock } from "@voda/stdx";
import type { Agents } from "../agents/agents.ts";
import type { Directory, DirectoryNode } from "../directory/directory.ts";
import {
  decideGang,
  type GangRefusal,
  type Pool,
  type PoolConstraint,
  type PoolPlan,
  type PoolRefusal,
  type PoolRequest,
  type Reasons,
  reasonsAgainst,
  reasonsFor,
  Shadow,
  type ShadowCounters,
  Stranded,
} from "../placement/index.ts";
import type { Decision, Plan } from "./decision.ts";
import { createDecisionLog } from "./decision-log.ts";
import type { RoomCounters, RoomMaker } from "./room-maker.ts";
import { Upkeep } from "./upkeep.ts";

/** What decisions are made from. The pool is the one that the directory keeps. */
export interface SchedulerOptions {
  readonly agents: Agents;
  readonly directory: Directory;
  /** The books that the directory keeps. */
  readonly pool: Pool;
  readonly clock: Clock;
  readonly rooms: RoomMaker;
}

/** With the time after which asking again may help. */
export type Refused = PoolRefusal & { readonly retryMs: number };

/** Its node says that it has the session: nothing is decided, and no grant is needed. */
export interface Awake {
  readonly type: "awake";
  readonly name: SessionName;
  readonly node: DirectoryNode;
}

/** No such agent is deployed: nothing can be decided, and the node says so in the protocol of the caller. */
export interface UnknownAgent {
  readonly type: "unknown_agent";
}

/** Of several sessions that are wanted together the first whose agent is not deployed. */
export interface UnknownMember extends UnknownAgent {
  readonly member: number;
}

/** `no_node`: none was ready. `invalid`: no node could be asked for that. */
export type RefusalReason = PoolConstraint | "quota" | "invalid" | "no_node";

/** Since the start of this process; other control planes count their own. */
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

/** Owns the upkeep of the pool between decisions, until it is disposed of. */
export class Scheduler implements Disposable {
  readonly #options: SchedulerOptions;
  readonly #log = createDecisionLog();
  readonly #upkeep: Upkeep;
  readonly #stranded: Stranded;
  readonly #shadow: Shadow;
  #decisions = 0;
  readonly #refusals = new Map<RefusalReason, number>();

  constructor(options: SchedulerOptions) {
    const { agents, pool, clock } = options;
    this.#options = options;
    this.#upkeep = new Upkeep({ pool, wanted: () => agents.wanted(), clock });
    this.#stranded = new Stranded(pool);
    this.#shadow = new Shadow(pool);
  }

  [Symbol.dispose](): void {
    this.#upkeep[Symbol.dispose]();
  }

  /**
   * A plan is reserved when this returns, for as long as a grant for it may be used. One that still is gets
   * no new decision.
   */
  place(name: SessionName): Plan | Awake | UnknownAgent | Refused {
    const nowMs = this.#options.clock.monotonicMs();
    const asked = this.#find(name, nowMs);
    if (asked.type !== "wanted") return asked;
    const { pool } = this.#options;
    const planned = pool.decide(asked.request, { isArrival: this.#isArrival(asked) });
    if (planned.type === "plan") {
      // before the reservation: the reference decides on the same books
      this.#compare(planned);
      return this.#reserve(asked, planned, nowMs);
    }
    this.#refuse(asked, planned);
    return { ...planned, retryMs: this.#makeRoom(planned, asked.request) ?? refusedRetryMs };
  }

  /** Places for all of the sessions, as `place` finds them, or for none. Nobody goes to sleep for them. */
  placeAll(names: readonly SessionName[]): readonly (Plan | Awake)[] | GangRefusal | UnknownMember {
    const { pool, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const found = names.map((name) => this.#find(name, nowMs));
    const unknown = found.findIndex(({ type }) => type === "unknown_agent");
    if (unknown >= 0) return { type: "unknown_agent", member: unknown };
    const wanted = found.filter((one) => one.type === "wanted");
    // all of them before any decision: prices follow the mix that arrives, not the order in a request
    for (const one of wanted) if (this.#isArrival(one)) pool.arrived(one.request);
    const planned = decideGang(
      pool,
      wanted.map(({ request }) => request),
    );
    if (planned.type === "gang-refusal") {
      const member = wanted[planned.member];
      assert(member !== undefined, `a gang of ${wanted.length} is refused for its member ${planned.member}`);
      this.#refuse(member, planned.refusal);
      return { ...planned, member: found.indexOf(member) };
    }
    const plans = planned.plans.values();
    return found.flatMap((one) => {
      if (one.type === "unknown_agent") return [];
      if (one.type !== "wanted") return [one];
      const { value: plan } = plans.next();
      assert(plan !== undefined, "a gang's plan has every member");
      return [this.#reserve(one, plan, nowMs)];
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

  /** One look at the directory, and one at the agents: what comes after them carries what they found. */
  #find(name: SessionName, nowMs: number): Wanted | Plan | Awake | UnknownAgent {
    const { agents, directory } = this.#options;
    const session = sessionToken(name);
    const known = directory.find(session, nowMs);
    if (known.type === "owner" && known.isConfirmed) return { type: "awake", name, node: known.node };
    const agent = agents.get(name.namespace, name.agent);
    if (agent === undefined) return { type: "unknown_agent" };
    const { revision: agentRevision } = agent;
    if (known.type === "owner") {
      const { node, devices } = known;
      return { type: "plan", name, session, node, devices, agentRevision };
    }
    const { warmNode } = known;
    const request = {
      ...agents.requestOf(name, session, agent),
      ...(warmNode !== undefined && { warmNode }),
    };
    return { type: "wanted", name, session, agentRevision, request };
  }

  /**
   * Prices are of GPUs: other requests would thin out the mix that they are made from. And after a refusal a
   * caller asks until there is room: that is one arrival.
   */
  #isArrival({ session, request }: Wanted): boolean {
    if (request.resources.gpu.type === "none") return false;
    const last = this.#log.get(session);
    if (last?.outcome.type !== "refusal") return true;
    return this.#options.clock.monotonicMs() - last.decidedAtMs >= asksAgainMsMax;
  }

  #reserve({ name, session, agentRevision }: Wanted, planned: PoolPlan, nowMs: number): Plan {
    const { directory, pool } = this.#options;
    const reasons = reasonsFor(pool, planned);
    const node = directory.reserve(session, planned, nowMs);
    const plan: Plan = { type: "plan", name, session, node, devices: pool.devicesOf(planned), agentRevision };
    this.#decided(plan, plan, reasons);
    return plan;
  }

  #refuse(asked: Asked, refusal: PoolRefusal): void {
    const reason = reasonOf(refusal);
    this.#refusals.set(reason, (this.#refusals.get(reason) ?? 0) + 1);
    this.#decided(asked, refusal, reasonsAgainst(refusal));
  }

  #decided({ name, session }: Asked, outcome: Plan | PoolRefusal, reasons: Reasons): void {
    const { pool, clock } = this.#options;
    const [decidedMs, decidedAtMs] = [clock.wallMs(), clock.monotonicMs()];
    const [policy, nodes] = [pool.policy.name, pool.nodeCount];
    this.#decisions += 1;
    this.#log.set(session, { name, decidedMs, decidedAtMs, outcome, policy, nodes, ...reasons });
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
    const { directory, pool, rooms } = this.#options;
    const isConfirmed = (session: string): boolean => directory.holderOf(session) !== undefined;
    return rooms.makeFor({ pool, request, isConfirmed });
  }
}

interface Asked {
  readonly name: SessionName;
  readonly session: SessionToken;
}

/** A session that has no place. */
interface Wanted extends Asked {
  readonly type: "wanted";
  readonly agentRevision: string;
  readonly request: PoolRequest;
}

function reasonOf(refusal: PoolRefusal): RefusalReason {
  return "nearest" in refusal ? (refusal.nearest?.constraint ?? "no_node") : refusal.reason;
}
