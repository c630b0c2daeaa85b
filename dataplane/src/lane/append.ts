// The record on its way to the lane. There is at most one.
import type { CallHead } from "../call/index.ts";
import { firstResendMs, resendMaxMs, resendMinMs } from "./constants.ts";
import type { TrimPlan } from "./fold.ts";
import type { LaneRecord } from "./record.ts";
import type { Turned } from "./turns.ts";

/** An append without outcome. */
export interface Flight {
  readonly token: number;
  readonly record: LaneRecord;
  readonly bytes: Uint8Array;
  readonly turns: readonly Turned[];
  /** Orders that it carries out: what others have sent here and give up. */
  readonly seals: readonly CallHead[];
  readonly trim: TrimPlan | undefined;
  readonly startedAtMs: number;
  /** When it is sent again. */
  dueAtMs: number;
  backoffMs: number;
  /** Its first answer was no, or did not come. */
  settling: boolean;
  /** 10071 or 10164, and nobody has looked since: it decides nothing. */
  refused: boolean;
}

/**
 * The slice: at most one flight, so that each record names the one before it and the order of turns is that
 * of the lane.
 */
export interface Append {
  flight: Flight | undefined;
}

/** Nothing is on its way: what an activation before this one sent is settled, or void. */
export function openAppend(): Append {
  return { flight: undefined };
}

type Sent = Pick<Flight, "token" | "record" | "bytes" | "turns" | "seals" | "trim">;

/** The record is sent for the first time. */
export function depart(append: Append, sent: Sent, nowMs: number): Flight {
  append.flight = {
    ...sent,
    startedAtMs: nowMs,
    dueAtMs: nowMs + firstResendMs,
    backoffMs: resendMinMs,
    settling: false,
    refused: false,
  };
  return append.flight;
}

/** It lies in the lane. */
export function arrived(append: Append): void {
  append.flight = undefined;
}

/** It is sent again now, and later once more. */
export function backOff(flight: Flight, nowMs: number): void {
  flight.settling = true;
  flight.dueAtMs = nowMs + flight.backoffMs;
  flight.backoffMs = Math.min(resendMaxMs, flight.backoffMs * 2);
}

/** What became of it must be found out. */
export function markSettling({ flight }: Append): void {
  if (flight !== undefined) flight.settling = true;
}

/**
 * The server refused it: 10071 (another last sequence) or 10164 (another proposal is under way). Neither
 * proves that no copy is stored: a lost acknowledgement of an earlier copy leads to 10071 too.
 */
export function markRefused(flight: Flight): void {
  flight.settling = true;
  flight.refused = true;
}

/** Says once that the append in flight was refused. */
export function takeRefusal({ flight }: Append): boolean {
  const refused = flight?.refused ?? false;
  if (flight !== undefined) flight.refused = false;
  return refused;
}

/** The append in flight, if there is one, is sent again at that time. */
export function resendAt({ flight }: Append, atMs: number): void {
  if (flight !== undefined) flight.dueAtMs = atMs;
}
