// What the one session has the other do later: each timer once, or again and again, not before its time nor
// long after it, and never after it was taken back.
import type { LaneRecord } from "../../../dataplane/src/lane/index.ts";
import { Violation } from "./checks.ts";
import type { OperationTiming } from "./clients.ts";
import { storeErrorMsMax, storeWallMs } from "./clocks.ts";
import type { Clockwork } from "./clockwork.ts";

export interface SimTimersOptions {
  readonly clockwork: Clockwork;
  /** Of an operation that sets a timer, or takes one back. */
  readonly timing: (operation: number) => OperationTiming | undefined;
  /** From then on nothing fails any more. */
  readonly calmFromMs: number;
}

interface SimTimer {
  readonly everyMs: number;
  readonly dueMs: number;
  readonly firedMs: number[];
  isOver: boolean;
}

/** A bell is looked at once in two seconds, and messages are lost in a calm too. */
const lateMsMax = 30_000;

/** As the records of the lane tell it. */
export class SimTimers {
  readonly #options: SimTimersOptions;
  readonly #timers = new Map<number, SimTimer>();

  constructor(options: SimTimersOptions) {
    this.#options = options;
  }

  /** A record with those operations is accepted. @throws Violation */
  accepted(record: LaneRecord, operations: readonly number[]): void {
    for (const operation of operations) this.#take(operation, record);
    if (record.type === "gone") for (const timer of this.#timers.values()) timer.isOver = true;
    if (record.type === "fold" && record.released && record.timers.length > 0)
      this.#options.clockwork.meet("a session sleeps with timers");
    const { letters = [] } = record.type === "turns" ? (record.outbox ?? {}) : {};
    for (const { method } of letters) this.#fire(Number(method));
  }

  /** Whether every one that is left has fired, and what fired was taken. */
  areOver(taken: readonly number[]): boolean {
    return [...this.#timers].every(([operation, { everyMs, isOver, firedMs }]) => {
      const isWaiting = !isOver && (everyMs > 0 || firedMs.length === 0);
      const count = taken.filter((effect) => Math.trunc(effect) === operation).length;
      return !isWaiting && count === firedMs.length;
    });
  }

  /** The second session has committed the operation. @throws Violation */
  checkTaken(operation: number): void {
    const timer = this.#timers.get(operation);
    if (timer !== undefined && timer.firedMs.length === 0)
      throw new Violation(`timer ${operation} was taken, and has not fired`);
  }

  #take(operation: number, record: LaneRecord): void {
    const { timing, clockwork } = this.#options;
    const said = timing(operation);
    if (said === undefined) return;
    const { type, ms, of } = said;
    const other = this.#timers.get(of);
    if (type !== "never") {
      const everyMs = type === "every" ? ms : 0;
      this.#timers.set(operation, { everyMs, dueMs: dueOf(record, operation), firedMs: [], isOver: false });
    } else if (other !== undefined && !isFired(other)) {
      other.isOver = true;
      clockwork.meet("a timer is cancelled");
    }
  }

  #fire(operation: number): void {
    const { clockwork, calmFromMs } = this.#options;
    const timer = this.#timers.get(operation);
    if (timer === undefined) return;
    const { nowMs } = clockwork;
    const { dueMs, everyMs, firedMs } = timer;
    clockwork.meet(everyMs > 0 ? "a timer fires again and again" : "a timer fires");
    if (timer.isOver) throw new Violation(`timer ${operation} fires after it was cancelled`);
    if (isFired(timer)) throw new Violation(`timer ${operation} fires twice`);
    if (nowMs < dueMs - storeErrorMsMax) throw new Violation(`timer ${operation} fires early`);
    if (firedMs.length === 0 && dueMs > calmFromMs && nowMs > dueMs + lateMsMax)
      throw new Violation(`timer ${operation} fires ${nowMs - dueMs} ms late`);
    // one whose record is accepted late may be followed by two: one late, one in time
    const before = firedMs.at(-3);
    if (before !== undefined && nowMs - before < everyMs - 2 * storeErrorMsMax)
      throw new Violation(`timer ${operation} makes up for more than one time`);
    firedMs.push(nowMs);
  }
}

/** What the record says of it; one that the same record takes back is never due. */
function dueOf(record: LaneRecord, operation: number): number {
  const changes = record.type === "turns" ? record.timers : [];
  for (const change of changes)
    if (change.type === "set" && change.timer.id === String(operation))
      return change.timer.dueMs - storeWallMs;
  return Number.POSITIVE_INFINITY;
}

const isFired = ({ everyMs, firedMs }: SimTimer): boolean => everyMs === 0 && firedMs.length > 0;
