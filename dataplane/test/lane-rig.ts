// A lane with its world in a test's hand: events go in, effects are looked at, and each state of PROTOCOL.md
// 4 is one call away.
import assert from "node:assert/strict";
import { hash as digest } from "node:crypto";
import { crc32 } from "node:zlib";
import type { CallHead, CallId } from "../src/call/index.ts";
import { foldBoundsOf } from "../src/lane/fold.ts";
import { type LaneOptions, openLane, phaseOf } from "../src/lane/lane.ts";
import { encodeRecord, type FoldRecord, type LaneRecord } from "../src/lane/record.ts";
import { stepLane } from "../src/lane/step.ts";
import type { LaneEffect, LaneEvent, Standing, StoredRecord } from "../src/lane/types.ts";
import { noRecord, type RecordId } from "../src/lane/words.ts";

export const me = "a".repeat(32);
export const other = "b".repeat(32);
export const sixteen = (first: number): Uint8Array => new Uint8Array(16).fill(first);
const uid = sixteen(77);
const name = { namespace: "default", agent: "counter", key: "k" };

type Of<T extends LaneEffect["type"]> = Extract<LaneEffect, { type: T }>;

/** The id of a call with a key; calls with the same number share it. */
export const keyOf = (number: number, more: Partial<Extract<CallId, { type: "key" }>> = {}): CallId => ({
  type: "key",
  id: sixteen(number),
  keepMs: 600_000,
  rawHash: sixteen(1),
  ...more,
});

export function callOf(number: number, more: Partial<CallHead> = {}): CallHead {
  return {
    number,
    type: "invoke",
    readonly: false,
    deadlineMs: 5000,
    id: keyOf(number),
    hops: 0,
    bytes: 10,
    ...more,
  };
}

export const readOf = (number: number, more: Partial<CallHead> = {}): CallHead =>
  callOf(number, { readonly: true, ...more });

/** A record of somebody, at `n`, after `prev`. */
export function recordOf(
  by: string,
  n: number,
  prev: RecordId = noRecord,
  more: Partial<FoldRecord> = {},
): LaneRecord {
  const head = {
    rid: { incarnation: by, counter: 1000 + n },
    prev,
    prevHash: undefined,
    n,
    epoch: 1,
    uid,
    from: 1,
    wallMs: 0,
    born: n === 1,
    name: undefined,
  };
  if (more.type !== "fold")
    return { ...head, type: "turns", turns: [], ...(more.epoch !== undefined && { epoch: more.epoch }) };
  return {
    ...head,
    type: "fold",
    covers: 0,
    coversRid: prev,
    whole: true,
    released: false,
    inline: [],
    table: [],
    answers: [],
    clients: [],
    trim: undefined,
    retired: [],
    ...more,
  };
}

export const hash = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(digest("sha256", bytes, "buffer").subarray(0, 16));

/** Accepted when it was written. */
export const stored = (seq: number, record: LaneRecord): StoredRecord => ({
  seq,
  atMs: record.wallMs,
  bytes: encodeRecord(record, crc32),
});

export function createRig(options: Partial<LaneOptions> = {}) {
  const lane = openLane({ name, crc32, hash, connected: true, folds: foldBoundsOf(true), ...options });
  const world = {
    wallMs: 1000,
    monotonicMs: 1000,
    incarnation: me,
    valid: true,
    standings: new Map<string, Standing>(),
    count: 0,
    leaseValid: () => world.valid,
    standing: (incarnation: string): Standing => world.standings.get(incarnation) ?? { type: "living" },
    unique: () => (world.count += 1),
    birth: () => uid,
  };
  let seq = 0;
  let turn = 0;
  const rig = {
    lane,
    world,
    get phase() {
      return phaseOf(lane);
    },
    get activation() {
      const { activation } = lane;
      assert.ok(activation !== undefined, "the session is not in memory");
      return activation;
    },
    step: (event: LaneEvent): LaneEffect[] => stepLane(lane, event, world),
    invoke: (call: CallHead): LaneEffect[] => rig.step({ type: "invoke", call }),
    /** Time passes and a timer rings. */
    wait(ms: number, timer: "append" | "wake" | "fold" = "append"): LaneEffect[] {
      world.wallMs += ms;
      world.monotonicMs += ms;
      return rig.step({ type: "timer", timer });
    },
    /** Answers the read that is asked for among the effects. */
    last: (effects: readonly LaneEffect[], record?: StoredRecord): LaneEffect[] =>
      rig.step({ type: "last", token: one(effects, "readLast").token, record }),
    /** No last record, and no other trace either. */
    empty: (effects: readonly LaneEffect[]): LaneEffect[] =>
      rig.step({ type: "traces", token: one(rig.last(effects), "readTraces").token, found: "nothing" }),
    range: (effects: readonly LaneEffect[], ...records: StoredRecord[]): LaneEffect[] =>
      rig.step({ type: "range", token: one(effects, "readRange").token, records }),
    accept(effects: readonly LaneEffect[]): LaneEffect[] {
      seq = Math.max(seq, rig.lane.activation?.tip.expect ?? 0) + 1;
      return rig.step({ type: "appended", token: one(effects, "append").token, seq });
    },
    turned(call: number, bytes = 1): LaneEffect[] {
      turn += 1;
      const { number } = rig.activation;
      return rig.step({
        type: "turned",
        activation: number,
        call,
        turn,
        delta: new Uint8Array(bytes),
        answer: sixteen(call),
        canonicalHash: sixteen(100 + call),
      });
    },
    read: (call: number, after = turn): LaneEffect[] =>
      rig.step({ type: "read", activation: rig.activation.number, call, after, answer: sixteen(call) }),
    failed: (call: number, after = turn): LaneEffect[] =>
      rig.step({ type: "failed", activation: rig.activation.number, call, after, answer: sixteen(call) }),
    cut: (after = turn): LaneEffect[] =>
      rig.step({
        type: "cut",
        activation: rig.activation.number,
        after,
        pages: [{ hash: sixteen(9), bytes: sixteen(3) }],
      }),
    /** A new session, loaded for call 1, which is at the worker. */
    held() {
      rig.empty(rig.invoke(callOf(1)));
      assert.equal(rig.phase, "held");
      return rig;
    },
    /** Call 1 is committed and answered. */
    owner() {
      rig.held();
      rig.accept(rig.turned(1));
      assert.equal(rig.phase, "owner");
      return rig;
    },
    /** The record of call 2 is on its way, and nobody has answered in time. */
    settling(call: CallHead = callOf(2)) {
      rig.owner();
      rig.invoke(call);
      rig.turned(2);
      const again = rig.wait(2000);
      assert.equal(rig.phase, "settling");
      return { rig, flight: one(again, "append") };
    },
    /** The fold with release is on its way. */
    releasing() {
      rig.owner();
      rig.step({ type: "sleep" });
      const release = rig.cut();
      assert.equal(rig.phase, "releasing");
      return { rig, release: one(release, "append") };
    },
    verifying() {
      rig.owner();
      rig.step({ type: "connection", up: false });
      rig.step({ type: "connection", up: true });
      assert.equal(rig.phase, "verifying");
      return rig;
    },
    /** The tip as the store has it. */
    tip: (): StoredRecord => {
      const { expect, rid, n } = rig.activation.tip;
      return stored(expect, { ...recordOf(rid.incarnation, n), rid });
    },
    /** A record of another node right after our tip. */
    fence: (): StoredRecord => {
      const { expect, rid, n } = rig.activation.tip;
      return stored(expect + 1, { ...recordOf(other, n + 1, rid), epoch: 9 });
    },
  };
  return rig;
}

export type Rig = ReturnType<typeof createRig>;

/** The only effect of that type. */
export function one<T extends LaneEffect["type"]>(effects: readonly LaneEffect[], type: T): Of<T> {
  const found = all(effects, type);
  const [first] = found;
  assert.ok(
    first !== undefined && found.length === 1,
    `${found.length} effects of type ${type} among ${typesOf(effects).join(", ")}`,
  );
  return first;
}

export function all<T extends LaneEffect["type"]>(effects: readonly LaneEffect[], type: T): Of<T>[] {
  return effects.filter((effect): effect is Of<T> => effect.type === type);
}

export const typesOf = (effects: readonly LaneEffect[]): string[] =>
  effects.map((effect) => effect.type).filter((type) => type !== "timer");
