// What the session's turns ask of other sessions and has not left yet. An ask is an effect that cannot be
// taken back: it leaves from committed state only, under an id that a repeated turn gives it again
// (PROTOCOL.md 5.3, 6.1).
import { ByteWriter } from "@voda/stdx";
import type { CallHead, CallId } from "../call/index.ts";
import { briefKeepMs } from "./constants.ts";
import type { Hash } from "./replay.ts";
import type { LaneEvent } from "./types.ts";
import type { Work } from "./work.ts";

export type AskEvent = Extract<LaneEvent, { type: "ask" }>;

/** At the gate. */
export interface Waiting {
  readonly ask: number;
  readonly work: Work;
  /** Turns that must be accepted before. */
  readonly after: number;
  /** `undefined` for a readonly one: it may be repeated as it is. */
  readonly id: CallId | undefined;
}

export interface Asks {
  waiting: Waiting[];
}

export function openAsks(): Asks {
  return { waiting: [] };
}

/** The turn of `work` asks something. */
export function addAsk(
  asks: Asks,
  work: Work,
  { ask, hash: asked }: AskEvent,
  { after, ...by }: AskedBy,
): void {
  const id = asked && askId(work, asked, by);
  asks.waiting.push({ ask, work, after, id });
}

/** In which life of the session, and after which of its turns. */
export interface AskedBy {
  readonly after: number;
  readonly incarnation: string;
  readonly hash: Hash;
}

/** Those that may leave do, as far as `mayLeave` says of the job that asks. */
export function takeAsks(asks: Asks, mayLeave: (waiting: Waiting) => boolean): Waiting[] {
  const leaving = asks.waiting.filter(mayLeave);
  if (leaving.length > 0) asks.waiting = asks.waiting.filter((one) => !leaving.includes(one));
  return leaving;
}

/**
 * The same for what a turn asks the same when it runs again, and another one for what it then asks otherwise:
 * of the turn's own id, what is asked, and how often the turn has asked that.
 */
function askId(work: Work, asked: Uint8Array, { incarnation, hash }: Omit<AskedBy, "after">): CallId {
  const text = asked.toHex();
  work.asked ??= new Map();
  const before = work.asked.get(text) ?? 0;
  work.asked.set(text, before + 1);
  const out = new ByteWriter(128);
  writeTurn(out, work.job, incarnation);
  out.raw(asked);
  out.varint(before);
  return { type: "key", id: hash(out.finish()), rawHash: asked, keepMs: keepMsOf(work.job) };
}

/** A turn without an id does not run again once it has asked: its number in this life tells it from others. */
function writeTurn(out: ByteWriter, { id, number }: CallHead, incarnation: string): void {
  out.text(id?.type ?? "none");
  if (id === undefined) out.text(incarnation);
  else out.raw(id.type === "key" ? id.id : id.client);
  out.varint(id?.type === "numbered" ? id.seq : number * Number(id === undefined));
}

/** As long as somebody may have the turn run again: whoever numbers calls waits a minute at most. */
const keepMsOf = ({ id }: CallHead): number => (id?.type === "key" ? id.keepMs : briefKeepMs);
