// Makes room for a request with GPUs that fits nowhere: has idle sessions of its namespace put to sleep, the
// fewest that free enough. Who is idle only the nodes know: they are asked, and may say busy. Nothing is
// reserved: who asks next gets the room.
import type { Clock } from "@voda/stdx";
import {
  MoveBudget,
  type Placed,
  type Pool,
  type PoolRequest,
  planRoom,
  type RoomPlan,
} from "../placement/index.ts";

/** `away`: the node did not answer, or could not do it. */
export type Slept = "asleep" | "busy" | "away";

/** How nodes are asked, and by which clock waiting is counted. */
export interface RoomMakerOptions {
  readonly clock: Clock;
  /** Never rejects, and ends a moment after `sleepMsMax`. */
  readonly putToSleep: (session: string, node: string) => Promise<Slept>;
}

/** A request that was refused just now, with the books that refused it. */
export interface RoomRequest {
  /** As it was when it refused the request. */
  readonly pool: Pool;
  readonly request: PoolRequest;
  /** Whether the session's node has said that it has it. */
  readonly isConfirmed: (session: string) => boolean;
}

/** Since the start of this process. */
export interface RoomCounters {
  /** Plans of which every session fell asleep. */
  readonly made: number;
  /** Sessions that were put to sleep. */
  readonly slept: number;
  /** Sessions that were asked and had work. */
  readonly busy: number;
}

/** A session that had work within this time is left alone. */
export const roomIdleMsMin = 1_000;
/** How long a node may take to put a session to sleep. */
export const sleepMsMax = 2_000;
/** What a caller is told to wait while room is being made: a sleep and its report take some tens of ms. */
export const roomRetryMs = 250;
/** Sessions that leave for one request. */
export const leavingMax = 8;
/**
 * Sessions of the whole mesh that are asked in a minute, saved up to one minute's worth. It bounds all lists
 * here too.
 */
export const asksPerMinuteMax = 600;
/** Plans for one asking: after sessions that were busy, others are asked. */
export const triesMax = 4;
/**
 * A session that was asked is not asked again for so long: the busy one may rest by then, the other's report
 * has come.
 */
export const avoidMs = 1_000;
/** Nodes that one plan looks at, about 10 µs each; the next one looks at others. */
export const planNodesMax = 1_000;
/** After a plan none is made for this many times what it took. */
const planPause = 9;

/** Owns the flights of all requests that room is being made for; disposing of it waits for them. */
export class RoomMaker implements AsyncDisposable {
  readonly #options: RoomMakerOptions;
  readonly #budget: MoveBudget;
  /** The sessions that room is being made for, until the report that it is there is due. */
  readonly #wanting = new Map<string, number>();
  /** Until when a session is not asked again. */
  readonly #avoided = new Map<string, number>();
  readonly #flights = new Set<Promise<void>>();
  #plansFromMs = 0;
  #nextNode = 0;
  #counters: RoomCounters = { made: 0, slept: 0, busy: 0 };

  constructor(options: RoomMakerOptions) {
    this.#options = options;
    this.#budget = new MoveBudget(asksPerMinuteMax, options.clock.monotonicMs());
  }

  get counters(): RoomCounters {
    return this.#counters;
  }

  /**
   * In how many milliseconds to ask again because room is being made; `undefined` when none is. The request
   * was refused just now.
   */
  makeFor(wanted: RoomRequest): number | undefined {
    this.#expire();
    const { session } = wanted.request;
    if (this.#wanting.has(session)) return roomRetryMs;
    const plan = this.#plan(wanted);
    if (plan === undefined) return undefined;
    this.#wanting.set(session, Number.POSITIVE_INFINITY);
    const flight = this.#carryOut(wanted, plan).finally(() => this.#flights.delete(flight));
    this.#flights.add(flight);
    return roomRetryMs;
  }

  /** Resolves when no node is asked any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#flights);
  }

  /** What the plan costs is spent. */
  #plan({ pool, request, isConfirmed }: RoomRequest): RoomPlan | undefined {
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const most = Math.min(leavingMax, this.#budget.left(nowMs));
    if (nowMs < this.#plansFromMs || most === 0) return undefined;
    const mayLeave = (placed: Placed): boolean =>
      isOfRequest(placed, request) &&
      !this.#avoided.has(placed.request.session) &&
      isConfirmed(placed.request.session);
    const among = { first: this.#nextNode, nodes: planNodesMax };
    const plan = planRoom(pool, request, { how: "sleep", mayLeave, most, among });
    this.#nextNode += planNodesMax;
    const plannedMs = clock.monotonicMs();
    this.#plansFromMs = plannedMs + planPause * (plannedMs - nowMs);
    return plan !== undefined && this.#budget.spend(plan.leaving.length, nowMs) ? plan : undefined;
  }

  async #carryOut(wanted: RoomRequest, first: RoomPlan): Promise<void> {
    const { pool, request } = wanted;
    let hasSlept = false;
    let plan: RoomPlan | undefined = first;
    for (let tries = 1; plan !== undefined; tries += 1) {
      const outcomes: Slept[] = await Promise.all(
        plan.leaving.map(({ session, from }) => this.#ask(session, pool.books.idOf(from))),
      );
      if (outcomes.every((one) => one === "asleep")) this.#count({ made: 1 });
      hasSlept = outcomes.includes("asleep");
      // what has left is on the books until the report: only then another plan would be right
      const isOver = hasSlept || tries === triesMax || !isWanted(wanted);
      this.#expire();
      plan = isOver ? undefined : this.#plan(wanted);
    }
    if (hasSlept) this.#wanting.set(request.session, this.#options.clock.monotonicMs() + roomRetryMs);
    else this.#wanting.delete(request.session);
  }

  async #ask(session: string, node: string): Promise<Slept> {
    this.#avoided.set(session, Number.POSITIVE_INFINITY);
    const outcome = await this.#options.putToSleep(session, node);
    this.#avoided.set(session, this.#options.clock.monotonicMs() + avoidMs);
    this.#count({ slept: outcome === "asleep" ? 1 : 0, busy: outcome === "busy" ? 1 : 0 });
    return outcome;
  }

  #count({ made = 0, slept = 0, busy = 0 }: Partial<RoomCounters>): void {
    const counted = this.#counters;
    this.#counters = { made: counted.made + made, slept: counted.slept + slept, busy: counted.busy + busy };
  }

  #expire(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const map of [this.#wanting, this.#avoided])
      for (const [session, untilMs] of map) if (untilMs <= nowMs) map.delete(session);
  }
}

/** Whether it is still without a place, and would still find none. */
function isWanted({ pool, request }: RoomRequest): boolean {
  return !pool.sessions.has(request.session) && pool.decide(request).type === "refusal";
}

/** Only what holds devices, and only of the same namespace: nobody's sessions sleep for strangers. */
function isOfRequest(placed: Placed, request: PoolRequest): boolean {
  return placed.mask !== 0 && placed.request.namespace === request.namespace;
}
