// What the session's turns ask of other sessions and has not left yet. An ask is an effect that cannot be
// taken back: it leaves from committed state only, under an id that a repeated turn gives it again
// (PROTOCOL.md 5.3, 6.1).
import { ByteWriter } from "@voda/stdx";
import type { CallHead, CallId } from "../call/index.ts";
import { briefKeepMs, letterAsksKeepMs } from "./constants.ts";
import type { LaneEvent } from "./types.ts";
import type { Hash } from "./words.ts";
import type { Work } from "./work.ts";

export type AskEvent = Extract<LaneEvent, { type: "ask" }>;

/** At the gate. */
export interface Waiting {
  /** Number of the call that is made. */
  readonly call: number;
  readonly work: Work;
  /** Turns that must be accepted before. */
  readonly after: number;
  /** `undefined` for a readonly one: it may be repeated as it is. */
  readonly id: CallId | undefined;
}

export interface Asks {
  /** At most `asksMax`: one whose time is over stays until it may leave, or its turn ends. */
  waiting: Waiting[];
  /** How often each turn that runs has asked the same, by its hash. */
  readonly counts: Map<Work, Map<string, number>>;
  /** Turns of which something has left: it cannot be taken back. */
  readonly left: WeakSet<Work>;
}

export function openAsks(): Asks {
  return { waiting: [], counts: new Map(), left: new WeakSet() };
}

/**
 * Different asks of one turn: each is remembered until it ends, so that the same one again gets another id.
 */
export const turnAsksMax = 65_536;

/** Whether the turn may ask that too. */
export function mayAsk({ counts }: Asks, work: Work, requestHash: Uint8Array | undefined): boolean {
  const ofTurn = counts.get(work);
  if (requestHash === undefined || ofTurn === undefined) return true;
  return ofTurn.size < turnAsksMax || ofTurn.has(requestHash.toHex());
}

/** The turn of `work` asks something. */
export function addAsk(
  asks: Asks,
  work: Work,
  { call, requestHash }: AskEvent,
  { after, ...life }: AskedBy,
): void {
  const id = requestHash && idOf(asks, work, requestHash, life);
  asks.waiting.push({ call, work, after, id });
}

/** In which life of the session, and after which of its turns. */
export interface AskedBy {
  readonly after: number;
  readonly incarnation: string;
  readonly hash: Hash;
}

/** Those that may leave do, as far as `mayLeave` says. */
export function takeAsks(asks: Asks, mayLeave: (waiting: Waiting) => boolean): Waiting[] {
  const leaving = takeWaiting(asks, mayLeave);
  for (const { work, id } of leaving) if (id !== undefined) asks.left.add(work);
  return leaving;
}

/** The turn of `work` has ended, or, without one, all have: what they asked and has not left. */
export function endAsks(asks: Asks, work?: Work): Waiting[] {
  if (work === undefined) asks.counts.clear();
  else asks.counts.delete(work);
  return takeWaiting(asks, (one) => work === undefined || one.work === work);
}

function takeWaiting(asks: Asks, isTaken: (waiting: Waiting) => boolean): Waiting[] {
  if (asks.waiting.length === 0) return [];
  const taken: Waiting[] = [];
  const staying: Waiting[] = [];
  for (const one of asks.waiting) (isTaken(one) ? taken : staying).push(one);
  asks.waiting = staying;
  return taken;
}

/**
 * The same for what a turn asks the same when it runs again, and another one for what it then asks otherwise:
 * of the turn's own id, what is asked, and how often the turn has asked that.
 */
function idOf(
  { counts }: Asks,
  work: Work,
  requestHash: Uint8Array,
  { incarnation, hash }: Omit<AskedBy, "after">,
): CallId {
  const text = requestHash.toHex();
  const ofTurn = counts.get(work) ?? new Map<string, number>();
  counts.set(work, ofTurn);
  const before = ofTurn.get(text) ?? 0;
  ofTurn.set(text, before + 1);
  const out = new ByteWriter(128);
  writeTurnId(out, work.job, incarnation);
  out.raw(requestHash);
  out.varint(before);
  return { type: "key", id: hash(out.finish()), rawHash: requestHash, keepMs: keepMsOf(work.job) };
}

/**
 * A turn without an id does not run again once it has asked: its number in this life tells it from others.
 */
export function writeTurnId(out: ByteWriter, { id, number }: CallHead, incarnation: string): void {
  out.text(id?.type ?? "none");
  if (id === undefined) out.text(incarnation);
  else out.raw(id.type === "key" ? id.id : id.type === "sent" ? id.source : id.client);
  out.varint(placeOf(id) ?? number * Number(id === undefined));
}

function placeOf(id: CallId | undefined): number | undefined {
  if (id?.type === "sent") return id.n;
  return id?.type === "numbered" ? id.seq : undefined;
}

/** As long as somebody may have the turn run again: whoever numbers calls waits a minute at most. */
function keepMsOf({ id }: CallHead): number {
  if (id?.type === "sent") return letterAsksKeepMs;
  return id?.type === "key" ? id.keepMs : briefKeepMs;
}
