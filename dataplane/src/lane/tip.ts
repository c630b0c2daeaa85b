// Where an activation stands in its lane, and whether the session is its own.
import type { LaneRecord } from "./record.ts";
import type { Base } from "./replay.ts";
import type { Incarnation, World } from "./types.ts";
import type { RecordId } from "./words.ts";

export interface Tip {
  /** Under which it holds or owns. */
  incarnation: Incarnation;
  /**
   * unborn: the lane was empty, and only readers that came before run here. held: no record of ours is the
   * last one. released: a fold with release is sent, and so nothing is owned any more.
   */
  claim: "unborn" | "held" | "owner" | "released";
  /** Calls that the emptiness of the lane was proved for: they arrived before. */
  readonly provedFor: ReadonlySet<number> | undefined;
  /** A bare claim must go out: something waits that may not happen on two nodes. */
  wantsClaim: boolean;
  epoch: number;
  readonly uid: Uint8Array;
  /** The first record of this life is not accepted yet. */
  born: boolean;
  /** Last sequence of the lane and its record; and the last record that links. */
  expect: number;
  rid: RecordId;
  prev: RecordId;
  prevHash: Uint8Array;
  n: number;
}

export function openTip(base: Base, world: World, provedFor: ReadonlySet<number> | undefined): Tip {
  return {
    incarnation: world.incarnation,
    claim: provedFor === undefined ? "held" : "unborn",
    provedFor,
    wantsClaim: false,
    epoch: base.epoch + 1,
    uid: base.uid ?? world.birth(),
    born: base.uid === undefined,
    expect: base.expect,
    rid: base.tip,
    prev: base.prev,
    prevHash: base.prevHash,
    n: base.n,
  };
}

/** What waits needs a record of ours; where the session is owned already, there is one. */
export function wantClaim(tip: Tip): void {
  if (tip.claim === "held") tip.wantsClaim = true;
}

/** Sessions of a node whose lease ended stay in memory, and claim again before they answer a read. */
export function renewTip(tip: Tip, incarnation: Incarnation, answersWait: boolean): void {
  tip.incarnation = incarnation;
  tip.epoch += 1;
  if (tip.claim !== "owner") return;
  tip.claim = "held";
  tip.wantsClaim = answersWait;
}

/**
 * Its end is sent: the acknowledgement may be lost while the next owner writes, so nothing is read from here
 * on.
 */
export function releaseTip(tip: Tip): void {
  tip.claim = "released";
}

/** The record with that hash lies in the lane at `seq`. Says whether the session became ours by it. */
export function acceptTip(tip: Tip, record: LaneRecord, seq: number, hash: Uint8Array): boolean {
  tip.expect = seq;
  tip.n = record.n;
  tip.rid = record.rid;
  tip.prev = record.rid;
  tip.prevHash = hash;
  tip.born = false;
  // one that was sent under the incarnation before says nothing about this one
  if (tip.claim !== "held" || record.rid.incarnation !== tip.incarnation) return false;
  tip.claim = "owner";
  tip.wantsClaim = false;
  return true;
}
