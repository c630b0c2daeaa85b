// Makes room for a request with GPUs that fits nowhere: has idle sessions of its namespace put to sleep, the fewest that free
// enough. Who is idle only the nodes know: they are asked, and may say busy. Nothing is reserved: who asks next gets the room.
import type { Clock } from "@voda/stdx";
import { MoveBudget, type Placed, type Pool, type PoolRequest, planRoom, type RoomPlan } from "../placement/index.ts";

/** `away`: the node did not answer, or could not do it. */
export type Slept = "asleep" | "busy" | "away";

export interface RoomMakerOptions {
  readonly clock: Clock;
  /** Never rejects. */
  readonly putToSleep: (session: string, node: string) => Promise<Slept>;
}

export interface RoomRequest {
  /** As it was when it refused the request. */
  readonly pool: Pool;
  readonly request: PoolRequest;
  /** Whether the session's node has said that it has it. */
  readonly isConfirmed: (session: string) => boolean;
}

export interface RoomCounters {
  /** Plans of which every session fell asleep. */
  readonly made: number;
  /** Sessions that were put to sleep. */
  readonly slept: number;
  /** Sessions that were asked and had work. */
  readonly busy: number;
}

/** What a caller is told to wait while room is being made: a sleep and its report take some tens of ms. */
export const roomRetryMs = 250;
/** Sessions that leave for one request. */
export const leavingMax = 8;
/** Sessions of the whole mesh that are asked in a minute, saved up to one minute's worth. It bounds all lists here too. */
export const asksPerMinuteMax = 600;
/** Plans for one request within `triesMs`. */
export const triesMax = 4;
export const triesMs = 10_000;
/** A session that was asked is not asked again for so long: the busy one may rest by then, the other's report has come. */
export const avoidMs = 1_000;
/** Nodes that one plan looks at, about 10 µs each; the next one looks at others. */
export const planNodesMax = 1_000;
/** After a plan none is made for this many times what it took. */
const planPause = 9;

interface Wanting {
  tries: number;
  /** Until then room is being made, or the report that it is there is on its way. */
  waitsUntilMs: number;
  readonly expiresMs: number;
}

export class RoomMaker implements AsyncDisposable {
  readonly #options: RoomMakerOptions;
  readonly #budget: MoveBudget;
  /** The sessions that room is made for; all expire equally late, so the oldest come first. */
  readonly #wanting = new Map<string, Wanting>();
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

  /** In how many milliseconds to ask again because room is being made then; `undefined` when none is. */
  makeFor({ pool, request, isConfirmed }: RoomRequest): number | undefined {
    const nowMs = this.#options.clock.monotonicMs();
    this.#expire(nowMs);
    const wanting = this.#wanting.get(request.session);
    if (wanting !== undefined && nowMs < wanting.waitsUntilMs) return roomRetryMs;
    if ((wanting?.tries ?? 0) >= triesMax || nowMs < this.#plansFromMs) return undefined;
    const most = Math.min(leavingMax, this.#budget.left(nowMs));
    if (most === 0) return undefined;
    const mayLeave = (placed: Placed): boolean =>
      isOfRequest(placed, request) && this.#mayAsk(placed.request.session, isConfirmed);
    const among = { first: this.#nextNode, nodes: planNodesMax };
    const plan = planRoom(pool, request, { how: "sleep", mayLeave, most, among });
    this.#nextNode += planNodesMax;
    const plannedMs = this.#options.clock.monotonicMs();
    this.#plansFromMs = plannedMs + planPause * (plannedMs - nowMs);
    if (plan === undefined || !this.#budget.spend(plan.leaving.length, nowMs)) return undefined;
    this.#start(pool, plan, wanting ?? { tries: 0, waitsUntilMs: 0, expiresMs: nowMs + triesMs });
    return roomRetryMs;
  }

  /** Resolves when no node is asked any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#flights);
  }

  #mayAsk(session: string, isConfirmed: RoomRequest["isConfirmed"]): boolean {
    return !this.#avoided.has(session) && isConfirmed(session);
  }

  #start(pool: Pool, { leaving, plan }: RoomPlan, wanting: Wanting): void {
    wanting.tries += 1;
    wanting.waitsUntilMs = Number.POSITIVE_INFINITY;
    this.#wanting.set(plan.request.session, wanting);
    const asked = leaving.map(({ session, from }) => this.#ask(session, pool.books.idOf(from)));
    const flight = Promise.all(asked).then((outcomes) => {
      this.#flights.delete(flight);
      const isMade = outcomes.every((one) => one === "asleep");
      // of room that is there the report is awaited; of room that is not, the next asking makes another plan
      wanting.waitsUntilMs = isMade ? this.#options.clock.monotonicMs() + roomRetryMs : 0;
      this.#count({ made: isMade ? 1 : 0 });
    });
    this.#flights.add(flight);
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

  #expire(nowMs: number): void {
    for (const [session, { expiresMs }] of this.#wanting) {
      if (expiresMs > nowMs) break;
      this.#wanting.delete(session);
    }
    for (const [session, untilMs] of this.#avoided) if (untilMs <= nowMs) this.#avoided.delete(session);
  }
}

/** Only what holds devices, and only of the same namespace: nobody's sessions sleep for strangers. */
function isOfRequest(placed: Placed, request: PoolRequest): boolean {
  return placed.mask !== 0 && placed.request.namespace === request.namespace;
}
