// Places sessions: asks the pool, reserves what it decided until the node confirms it, remembers and counts the decisions.
import { type SessionName, type SessionToken, sessionToken } from "@voda/proto/session";
import type { Clock } from "@voda/stdx";
import type { Agents } from "../agents/agents.ts";
import type { Directory } from "../directory/directory.ts";
import {
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
import { Upkeep } from "./upkeep.ts";

export interface SchedulerOptions {
  readonly agents: Agents;
  readonly directory: Directory;
  readonly clock: Clock;
}

/** `no_node`: none was ready. `invalid`: no node could be asked for that. */
export type RefusalReason = PoolConstraint | "quota" | "invalid" | "no_node";

export interface Counters {
  readonly decisions: number;
  readonly refusals: ReadonlyMap<RefusalReason, number>;
  readonly strandedMilli: number;
  /** By the reference policy. */
  readonly shadow: ReadonlyMap<string, ShadowCounters>;
}

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

  /** A plan is reserved when this returns, for as long as a grant for it may be used. One that still is gets no new decision. */
  place(name: SessionName): Plan | PoolRefusal {
    const { agents, directory, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    directory.expire(nowMs);
    const session = sessionToken(name);
    const owner = directory.renew(session, nowMs);
    if (owner !== undefined) return { kind: "plan", node: owner.node, devices: owner.devices };
    const warmNode = directory.warmNodeOf(session);
    const request = agents.requestOf(name);
    return this.#decide(name, { session, nowMs, request: warmNode === undefined ? request : { ...request, warmNode } });
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
    const strandedMilli = this.#stranded.milli(this.#options.agents.wanted());
    return { decisions: this.#decisions, refusals: this.#refusals, strandedMilli, shadow: this.#shadow.counters() };
  }

  #decide(name: SessionName, { session, nowMs, request }: Asking): Plan | PoolRefusal {
    const { directory, clock } = this.#options;
    const { pool } = directory;
    // Prices are of GPUs: other requests would thin out the mix that they are made from.
    if (request.resources.gpu.kind !== "none") pool.arrived(request);
    const planned = pool.decide(request);
    const reasons = planned.kind === "plan" ? reasonsFor(pool, planned) : reasonsAgainst(planned);
    const outcome: Plan | PoolRefusal =
      planned.kind === "plan" ? { kind: "plan", node: planned.nodeId, devices: pool.devicesOf(planned) } : planned;
    if (planned.kind === "plan") {
      this.#compare(planned);
      directory.reserve(session, planned, nowMs);
    } else this.#count(reasonOf(planned));
    this.#decisions += 1;
    const [policy, nodes] = [pool.policy.name, pool.books.nodes];
    this.#log.add(session, { name, decidedMs: clock.wallMs(), outcome, policy, nodes, ...reasons });
    this.#upkeep.decided();
    return outcome;
  }

  /** The policies differ in what they do with GPUs. */
  #compare(plan: PoolPlan): void {
    const { clock } = this.#options;
    const startMs = clock.monotonicMs();
    if (plan.shape.gpuCount === 0 || !this.#shadow.isDue(startMs)) return;
    this.#shadow.compare(plan);
    const endMs = clock.monotonicMs();
    this.#shadow.compared(endMs - startMs, endMs);
  }

  #count(reason: RefusalReason): void {
    this.#refusals.set(reason, (this.#refusals.get(reason) ?? 0) + 1);
  }
}

interface Asking {
  readonly session: SessionToken;
  readonly nowMs: number;
  readonly request: PoolRequest;
}

function reasonOf(refusal: PoolRefusal): RefusalReason {
  return "nearest" in refusal ? (refusal.nearest?.constraint ?? "no_node") : refusal.reason;
}
