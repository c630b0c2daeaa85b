// A lane with its world in a test's hand: events go in, effects are looked at, and each state of PROTOCOL.md
// 4 is one call away.
import assert from "node:assert/strict";
import { hash as digest } from "node:crypto";
import { crc32 } from "node:zlib";
import type { Mark } from "@voda/proto/mark";
import type { CallHead, CallId, Send } from "../src/call/index.ts";
import { foldBoundsOf } from "../src/lane/fold.ts";
import { type Lane, type LaneOptions, openLane } from "../src/lane/lane.ts";
import { feedLane } from "../src/lane/pass.ts";
import { encodeRecord, type FoldRecord, type LaneRecord } from "../src/lane/record.ts";
import type { LaneEffect, LaneEvent, LaneTimer, Standing, StoredRecord, World } from "../src/lane/types.ts";
import { noRecord, type RecordId } from "../src/lane/words.ts";
import { plainCall } from "./call.ts";
import { phaseOf } from "./phase.ts";

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
  return plainCall(number, 5000, { head: { id: keyOf(number), bytes: 10, ...more } }).head;
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
    storeMs: 0,
    born: n === 1,
    name: undefined,
  };
  const messages = { outbox: undefined, seen: [], timers: [], journal: undefined };
  if (more.type !== "fold") {
    const { epoch = head.epoch } = more;
    return { ...head, type: "turns", turns: [], ...messages, epoch };
  }
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
    ...messages,
    ...more,
  };
}

export const hash = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(digest("sha256", bytes, "buffer").subarray(0, 16));

/** Accepted when it was written. */
export const stored = (seq: number, record: LaneRecord): StoredRecord => ({
  seq,
  atMs: record.storeMs,
  bytes: encodeRecord(record, crc32),
});

/** The node of a lane in a test's hand. */
class RigWorld implements World {
  storeMs = 1000;
  monotonicMs = 1000;
  incarnation = me;
  valid = true;
  readonly standings = new Map<string, Standing>();
  readonly closed = new Set<string>();
  #count = 0;

  leaseValid(): boolean {
    return this.valid;
  }

  standing(incarnation: string): Standing {
    return this.standings.get(incarnation) ?? { type: "living" };
  }

  wasClosed(incarnation: string): boolean {
    return this.closed.has(incarnation);
  }

  unique(): number {
    this.#count += 1;
    return this.#count;
  }

  birth(): Uint8Array {
    return uid;
  }
}

/** A lane, told what happens by a test. */
export class Rig {
  readonly lane: Lane;
  readonly world = new RigWorld();
  /** As the reactor keeps them: one that is set to another time rings then only. */
  readonly #timers = new Map<LaneTimer, number>();
  #seq = 0;
  #turn = 0;

  constructor(options: Partial<LaneOptions>) {
    this.lane = openLane({ name, crc32, hash, connected: true, folds: foldBoundsOf(true), ...options });
  }

  get phase() {
    return phaseOf(this.lane);
  }

  get activation() {
    const { activation } = this.lane;
    assert.ok(activation !== undefined, "the session is not in memory");
    return activation;
  }

  feed(event: LaneEvent): LaneEffect[] {
    const effects = feedLane(this.lane, event, this.world);
    for (const { timer, atMs } of all(effects, "timer")) this.#timers.set(timer, atMs);
    return effects;
  }

  invoke(call: CallHead): LaneEffect[] {
    return this.feed({ type: "invoke", call });
  }

  /** Time passes and the timer rings, if the lane has asked for that. */
  wait(ms: number, timer: LaneTimer = "append"): LaneEffect[] {
    this.world.storeMs += ms;
    this.world.monotonicMs += ms;
    const dueMs = this.#timers.get(timer);
    if (dueMs === undefined || dueMs > this.world.monotonicMs) return [];
    this.#timers.delete(timer);
    return this.feed({ type: "timer", timer });
  }

  /** Answers the read that is asked for among the effects. */
  last(effects: readonly LaneEffect[], record?: StoredRecord, mark?: Mark): LaneEffect[] {
    return this.feed({ type: "last", token: one(effects, "readLast").token, record, mark });
  }

  /** No last record, and no other trace either. */
  empty(effects: readonly LaneEffect[]): LaneEffect[] {
    return this.feed({
      type: "traces",
      token: one(this.last(effects), "readTraces").token,
      found: "nothing",
    });
  }

  range(effects: readonly LaneEffect[], ...records: StoredRecord[]): LaneEffect[] {
    return this.feed({ type: "range", token: one(effects, "readRange").token, records });
  }

  /** `others`: messages of other sessions that came before it. */
  accept(effects: readonly LaneEffect[], others = 0): LaneEffect[] {
    this.#seq = Math.max(this.#seq, this.lane.activation?.tip.expect ?? 0) + 1 + others;
    return this.feed({ type: "appended", token: one(effects, "append").token, seq: this.#seq });
  }

  turned(call: number, bytes = 1, sends: readonly Send[] = []): LaneEffect[] {
    this.#turn += 1;
    const { number } = this.activation;
    return this.feed({
      type: "turned",
      activation: number,
      call,
      turn: this.#turn,
      delta: new Uint8Array(bytes),
      answer: sixteen(call),
      canonicalHash: sixteen(100 + call),
      sends,
    });
  }

  read(call: number, after = this.#turn): LaneEffect[] {
    return this.feed({
      type: "read",
      activation: this.activation.number,
      call,
      after,
      answer: sixteen(call),
    });
  }

  failed(call: number, after = this.#turn): LaneEffect[] {
    return this.feed({
      type: "failed",
      activation: this.activation.number,
      call,
      after,
      answer: sixteen(call),
    });
  }

  cut(after = this.#turn): LaneEffect[] {
    return this.feed({
      type: "cut",
      activation: this.activation.number,
      after,
      pages: [{ hash: sixteen(9), bytes: sixteen(3) }],
    });
  }

  /** A new session, loaded for call 1, which is at the worker. */
  held() {
    this.empty(this.invoke(callOf(1)));
    assert.equal(this.phase, "held");
    return this;
  }

  /** Call 1 is committed and answered. */
  owner() {
    this.held();
    this.accept(this.turned(1));
    assert.equal(this.phase, "owner");
    return this;
  }

  /** The record of call 2 is on its way, and nobody has answered in time. */
  settling(call: CallHead = callOf(2)) {
    this.owner();
    this.invoke(call);
    this.turned(2);
    const again = this.wait(2000);
    assert.equal(this.phase, "settling");
    return { rig: this, flight: one(again, "append") };
  }

  /** The fold with release is on its way. */
  releasing() {
    this.owner();
    this.feed({ type: "sleep" });
    const release = this.cut();
    assert.equal(this.phase, "releasing");
    return { rig: this, release: one(release, "append") };
  }

  /** A full store refused call 2: the session is held again, and may be read without a claim. */
  readable() {
    this.owner();
    const last = this.tip();
    this.invoke(callOf(2));
    const { token } = one(this.turned(2), "append");
    this.feed({ type: "rejected", token, why: "no space left" });
    this.range(this.last(this.invoke(readOf(3)), last), last);
    this.read(3, 0);
    return this;
  }

  verifying() {
    this.owner();
    this.feed({ type: "connection", up: false });
    this.feed({ type: "connection", up: true });
    assert.equal(this.phase, "verifying");
    return this;
  }

  /** The tip as the store has it. */
  tip(): StoredRecord {
    const { expect, rid, n } = this.activation.tip;
    return stored(expect, { ...recordOf(rid.incarnation, n), rid });
  }

  /** A record of another node right after our tip. */
  fence(): StoredRecord {
    const { expect, rid, n } = this.activation.tip;
    return stored(expect + 1, { ...recordOf(other, n + 1, rid), epoch: 9 });
  }
}

export const createRig = (options: Partial<LaneOptions> = {}): Rig => new Rig(options);

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
  effects.map((effect) => effect.type).filter((type) => type !== "timer" && type !== "mark");
