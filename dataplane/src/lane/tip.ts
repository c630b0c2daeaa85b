// Where an activation stands in its lane, and whether the session is its own.
import type { Mark } from "@voda/proto/mark";
import type { LaneRecord } from "./record.ts";
import type { Base } from "./replay.ts";
import type { Incarnation, World } from "./types.ts";
import type { RecordId } from "./words.ts";

/** Where the next record goes and under whom. PROTOCOL.md 4 names the states by `claim`. */
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
  /**
   * Nothing was accepted since a record of ours under this incarnation, and nothing of ours is on its way:
   * the session may be read as if it were owned.
   */
  readable: boolean;
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

/**
 * One epoch above all that the lane shows, so that pages of this activation have names that nobody has used.
 * `provedFor`: the lane was proved empty for these readers.
 */
export function openTip(base: Base, world: World, provedFor: ReadonlySet<number> | undefined): Tip {
  return {
    incarnation: world.incarnation,
    claim: provedFor === undefined ? "held" : "unborn",
    provedFor,
    wantsClaim: false,
    readable: false,
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

/** The last record that links, for those who wake the session after us. */
export const markOf = ({ expect, n, prevHash }: Tip, isGone: boolean): Mark => ({
  seq: expect,
  n,
  hash: prevHash,
  isGone,
  isAccepted: false,
});

/** A bare claim must go out, unless a record of ours is there already. */
export function wantClaim(tip: Tip): void {
  if (tip.claim === "held") tip.wantsClaim = true;
}

/** What is read may leave without a claim where nobody can have come in between. */
export function wantClaimToRead(tip: Tip): void {
  if (!tip.readable) wantClaim(tip);
}

/** Sessions of a node whose lease ended stay in memory, and claim again before they answer a read. */
export function renewTip(tip: Tip, incarnation: Incarnation, answersWait: boolean): void {
  tip.incarnation = incarnation;
  tip.readable = false;
  tip.epoch += 1;
  if (answersWait) wantClaim(tip);
  if (tip.claim !== "owner") return;
  tip.claim = "held";
  tip.wantsClaim = answersWait;
}

/** Memory was dropped while the session was ours, and the lane still ends with our record. */
export function keepReadable(tip: Tip): void {
  tip.readable = true;
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
