import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { sessionToken } from "@voda/proto/session";
import type { Standing } from "../lane/index.ts";
import type { Bell } from "../store/index.ts";
import { atOnceMax, bellsAnewMs, bellsEveryMs, openBellRounds } from "./bell-rounds.ts";

const me = "aa".repeat(16);
const dead = "bb".repeat(16);
const living = "cc".repeat(16);
const startMs = 1_000_000;

/** A node in virtual time, beside a store of bells. */
class Rig {
  readonly bells = new Map<number, Bell>();
  readonly here = new Set<string>();
  readonly woken: string[] = [];
  readonly silenced: number[] = [];
  readonly reads: number[] = [];
  isConnected = true;
  /** Whether sessions that are woken do not deliver all that they have sent. */
  isStuck = false;
  /** Whether they get into memory. */
  hasRoom = true;
  nowMs = startMs;
  #seq = 0;
  readonly #context: TestContext;
  /** While it is not there, no read comes to an end. */
  held: Promise<void> | undefined;
  /** The same of orders. */
  order: Promise<void> | undefined;
  readonly close: () => Promise<void>;

  constructor(context: TestContext) {
    this.#context = context;
    context.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    const rounds = openBellRounds({
      bells: {
        ring: () => assert.fail("rounds ring nothing"),
        silence: async (_token, seq) => {
          this.silenced.push(seq);
          this.bells.delete(seq);
        },
        isThere: async ({ seq }) => {
          if (this.held !== undefined) await this.held;
          return this.bells.has(seq);
        },
        from: (seq) => this.#from(seq),
      },
      inbox: {
        order: async (_type, { key }) => {
          this.woken.push(`${key} at ${this.nowMs - startMs}`);
          if (this.hasRoom) this.here.add(sessionToken({ namespace: "default", agent: "a", key }));
          if (this.isStuck) return new Promise(() => undefined);
          if (this.order !== undefined) await this.order;
          return { ok: true, content: "json", body: new Uint8Array(0) };
        },
      },
      incarnation: () => me,
      standing: (incarnation): Standing =>
        incarnation === living ? { type: "living" } : { type: "ended", successor: undefined },
      isHere: (token) => this.here.has(token),
      rank: () => ({ index: 0, count: 1 }),
      isConnected: () => this.isConnected,
      monotonicMs: () => this.nowMs,
      storeMs: () => this.nowMs,
      failed: (error) => assert.fail(String(error)),
    });
    this.close = async () => rounds[Symbol.asyncDispose]();
    context.after(this.close);
  }

  ring(key: string, inMs: number, incarnation = dead): number {
    this.#seq += 1;
    const name = { namespace: "default", agent: "a", key };
    const bell = { token: sessionToken(name), name, incarnation, dueMs: this.nowMs + inMs, seq: this.#seq };
    this.bells.set(bell.seq, bell);
    return bell.seq;
  }

  /** Time passes, step by step, and what is promised meanwhile is kept. */
  async pass(ms: number, promises = 20): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      this.nowMs += 100;
      this.#context.mock.timers.tick(100);
      for (let i = 0; i < promises; i += 1) await Promise.resolve();
    }
  }

  async *#from(seq: number): AsyncGenerator<Bell> {
    this.reads.push(seq);
    if (this.held !== undefined) await this.held;
    yield* [...this.bells.values()].filter((bell) => bell.seq >= seq);
  }
}

test("a session is woken when its bell is due, and not before", async (context) => {
  const rig = new Rig(context);
  rig.ring("now", 0);
  rig.ring("soon", 3_500);
  rig.ring("later", 30_000);
  await rig.pass(40_000);
  assert.deepEqual(rig.woken, [`now at ${bellsEveryMs}`, "soon at 3500", "later at 30000"]);
  assert.deepEqual(rig.silenced, [1, 2, 3]);
});

for (const [during, orders] of [
  ["a read", 0],
  ["a look at the bell", 0],
  ["an order", 1],
] as const)
  test(`rounds that are closed during ${during} order nothing more, and take no bell away`, async (context) => {
    const rig = new Rig(context);
    await rig.pass(bellsEveryMs);
    rig.ring("a", 3 * bellsEveryMs);
    const { promise, resolve } = Promise.withResolvers<void>();
    if (during === "a read") rig.held = promise;
    await rig.pass(bellsEveryMs + 500);
    if (during === "a look at the bell") rig.held = promise;
    if (during === "an order") rig.order = promise;
    await rig.pass(2 * bellsEveryMs - 400);
    const closed = rig.close();
    resolve();
    await closed;
    await rig.pass(3 * bellsEveryMs);
    assert.deepEqual([rig.woken.length, rig.silenced], [orders, []]);
  });

test("a bell that was taken away wakes nobody, and each of two of one session is answered", async (context) => {
  const rig = new Rig(context);
  const gone = rig.ring("gone", 3_000);
  rig.ring("again", 3_900);
  await rig.pass(bellsEveryMs);
  rig.bells.delete(gone);
  rig.ring("again", 100);
  await rig.pass(bellsEveryMs);
  assert.deepEqual(rig.woken, ["again at 3900", "again at 4000"]);
});

test("sessions of living nodes, and those that this node has in memory, are left alone", async (context) => {
  const rig = new Rig(context);
  rig.ring("elsewhere", 0, living);
  const here = rig.ring("here", 0, me);
  rig.here.add(rig.bells.get(here)?.token ?? "");
  rig.ring("asleep", 0, me);
  await rig.pass(bellsEveryMs);
  assert.deepEqual(rig.woken, [`asleep at ${bellsEveryMs}`]);
});

test("rounds read what is new; all of it once in a while, and after a lost connection", async (context) => {
  const rig = new Rig(context);
  rig.ring("far", 10 * bellsAnewMs);
  await rig.pass(bellsAnewMs - bellsEveryMs);
  assert.deepEqual([rig.reads[0], new Set(rig.reads.slice(2))], [1, new Set([2])]);
  const before = rig.reads.filter((seq) => seq === 1).length;
  await rig.pass(2 * bellsEveryMs);
  assert.equal(rig.reads.filter((seq) => seq === 1).length, before + 1);
  rig.isConnected = false;
  await rig.pass(bellsEveryMs);
  rig.isConnected = true;
  await rig.pass(bellsEveryMs);
  assert.equal(rig.reads.filter((seq) => seq === 1).length, before + 2);
  await rig.pass(10 * bellsAnewMs);
  assert.deepEqual(rig.woken, [`far at ${10 * bellsAnewMs}`]);
});

for (const [hasRoom, woken] of [
  [true, 3 * atOnceMax],
  [false, atOnceMax],
] as const)
  test(`of sessions that cannot deliver all wake that ${hasRoom ? "get" : "do not get"} into memory: ${woken}`, async (context) => {
    const rig = new Rig(context);
    rig.isStuck = true;
    rig.hasRoom = hasRoom;
    for (let i = 0; i < 3 * atOnceMax; i += 1) rig.ring(`k${i}`, 0);
    await rig.pass(2 * bellsEveryMs, 2_000);
    assert.equal(rig.woken.length, woken);
  });
