// What must hold after every step. A broken invariant ends the run.
import { hash16 } from "@voda/proto/hash16";
import { bytesEqual } from "@voda/stdx";
import type { LaneRecord } from "../../../dataplane/src/lane/index.ts";
import { noRecord, type RecordId, sameRecord } from "../../../dataplane/src/lane/words.ts";

export class Violation extends Error {
  override readonly name = "Violation";
}

/**
 * An effect names the operation and the history that it was computed on, so that a lost, doubled or reordered
 * one shows.
 */
export const effectOf = (op: number, base: readonly string[]): string => `${op}<${base.map(opOf).join(",")}`;
export const opOf = (effect: string): number => Number(effect.slice(0, effect.indexOf("<")));

/** The session after an accepted record, as the lane tells it. */
export interface Version {
  readonly effects: readonly string[];
  /** Every effect that ever happened, over all lives of the session. */
  readonly ever: readonly string[];
  readonly tip: RecordId;
  /** Of its bytes. */
  readonly hash: Uint8Array;
  readonly n: number;
  readonly owners: ReadonlyMap<number, string>;
}

export const firstVersion: Version = {
  effects: [],
  ever: [],
  tip: noRecord,
  hash: new Uint8Array(16),
  n: 0,
  owners: new Map(),
};

const utf8 = new TextDecoder();

/**
 * The versions that an accepted record adds: one for each turn, because a reader may run between two turns of
 * a record.
 * @throws Violation
 */
export function follow(
  before: Version,
  record: LaneRecord,
  bytes: Uint8Array,
  mayRepeat: (operation: number) => boolean,
): Version[] {
  const what = `record ${record.rid.incarnation.slice(0, 4)}.${record.rid.counter}`;
  if (!sameRecord(record.prev, before.tip))
    throw new Violation(`diverged: ${what} does not continue the lane`);
  if (record.prevHash === undefined || !bytesEqual(record.prevHash, before.hash))
    throw new Violation(`diverged: ${what} was written after other bytes than those before it`);
  if (record.n !== before.n + 1)
    throw new Violation(`diverged: ${what} is at position ${record.n} after ${before.n}`);
  const owner = before.owners.get(record.epoch);
  if (owner !== undefined && owner !== record.rid.incarnation)
    throw new Violation(`epoch ${record.epoch} has two owners`);
  const owners =
    owner === undefined ? new Map(before.owners).set(record.epoch, record.rid.incarnation) : before.owners;
  const effects = record.type === "gone" || record.born ? [] : before.effects;
  const versions = [
    { effects, ever: before.ever, tip: record.rid, hash: hash16(bytes), n: record.n, owners },
  ];
  for (const turn of record.type === "turns" ? record.turns : [])
    versions.push(take(versions.at(-1) ?? before, utf8.decode(turn.delta), mayRepeat));
  return versions;
}

function take(before: Version, effect: string, mayRepeat: (operation: number) => boolean): Version {
  const op = opOf(effect);
  if (effect !== effectOf(op, before.effects)) {
    throw new Violation(
      `effect ${effect} was computed on a state that the lane does not have: ${before.effects.join(" ")}`,
    );
  }
  if (!mayRepeat(op) && before.ever.some((other) => opOf(other) === op))
    throw new Violation(`effect ${op} happened twice`);
  return { ...before, effects: [...before.effects, effect], ever: [...before.ever, effect] };
}
