// Places sessions: decides on a snapshot, reserves what was decided until the node confirms it, remembers and counts the decisions.
import { type SessionName, type SessionToken, sessionToken } from "@voda/proto/session";
import type { Clock } from "@voda/stdx";
import type { Agents } from "../agents/agents.ts";
import type { Directory } from "../directory/directory.ts";
import { fittingShares } from "../directory/reported-devices.ts";
import { type Constraint, type PlacementRequest, type Plan, place, type Refusal } from "../placement/index.ts";
import type { Decision } from "./decision.ts";
import { DecisionLog } from "./decision-log.ts";
import { PoolMirror, type PoolPlanned, poolPolicy } from "./pool-mirror.ts";
import { strandedMilli } from "./stranded.ts";

export interface SchedulerOptions {
  readonly agents: Agents;
  readonly directory: Directory;
  readonly clock: Clock;
}

/** `no_node`: none was ready. */
export type RefusalReason = Constraint | "no_node";

export interface Counters {
  readonly decisions: number;
  readonly refusals: ReadonlyMap<RefusalReason, number>;
  readonly strandedMilli: number;
}

/** The pool reads what changed, a snapshot reads every node: in larger pools it would take longer than the decision. */
const snapshotPooledMax = 1_000;

export class Scheduler implements Disposable {
  readonly #options: SchedulerOptions;
  readonly #log = new DecisionLog();
  readonly #mirror: PoolMirror;
  #decisions = 0;
  readonly #refusals = new Map<RefusalReason, number>();

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#mirror = new PoolMirror(options.directory, () => options.agents.wanted());
  }

  [Symbol.dispose](): void {
    this.#mirror[Symbol.dispose]();
  }

  /** A plan is reserved when this returns. */
  place(name: SessionName): Plan | Refusal {
    const { agents, directory, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    directory.expire(nowMs);
    const session = sessionToken(name);
    const request = { session, namespace: name.namespace, resources: agents.resourcesOf(name.namespace, name.agent) };
    const pooled = request.resources.gpu.kind === "none" ? undefined : this.#pooled(request);
    const nodes = directory.nodeCount;
    const snapshot = pooled !== undefined && nodes > snapshotPooledMax ? undefined : directory.snapshot();
    const outcome = pooled?.plan ?? place(snapshot ?? directory.snapshot(), request);
    if (outcome.kind === "plan") directory.reserve(session, outcome, nowMs);
    else this.#count(outcome.nearest?.constraint ?? "no_node");
    if (pooled !== undefined) this.#mirror.placed();
    this.#decisions += 1;
    const policy = pooled === undefined ? "bestFit" : poolPolicy;
    this.#log.add({ name, request, decidedMs: clock.wallMs(), outcome, policy, candidates: pooled?.candidates, nodes, snapshot });
    return outcome;
  }

  /** What the pool wants, if the books agree. Best fit decides where it does not, and says why nothing fits. */
  #pooled(request: PlacementRequest): PoolPlanned | undefined {
    const planned = this.#mirror.decide(request);
    const books = planned === undefined ? undefined : this.#options.directory.booksOf(planned.plan.node);
    if (planned === undefined || books === undefined || place({ nodes: [books] }, request).kind === "refusal") return undefined;
    const { devices } = planned.plan.allocation;
    return fittingShares(books, devices).length === devices.length ? planned : undefined;
  }

  decisionOf(token: SessionToken): Decision | undefined {
    return this.#log.get(token);
  }

  /** Counted since the start; what is stranded is computed now. */
  counters(): Counters {
    const { agents, directory } = this.#options;
    return {
      decisions: this.#decisions,
      refusals: this.#refusals,
      strandedMilli: strandedMilli(directory.snapshot(), agents.wanted()),
    };
  }

  #count(reason: RefusalReason): void {
    this.#refusals.set(reason, (this.#refusals.get(reason) ?? 0) + 1);
  }
}
