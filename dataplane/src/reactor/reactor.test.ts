import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { create } from "@bufbuild/protobuf";
import { AgentSchema } from "@voda/proto/api";
import { type CallParts, plainCall } from "../../test/call.ts";
import { testTimers } from "../../test/timers.ts";
import {
  type Answer,
  type Call,
  createNumbers,
  encodeAnswer,
  type Failed,
  fail,
  type TakeBack,
} from "../call/index.ts";
import { foldBoundsOf, openLane } from "../lane/index.ts";
import type { Opening, PassedOn, Ports } from "./ports.ts";
import { Reactor } from "./reactor.ts";

const incarnation = "a".repeat(32);
const agent = create(AgentSchema, { name: "counter", queueMax: 100, turnMsMax: 1_000, idleMs: 60_000 });
const hash16 = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(hash("sha256", bytes, "buffer").subarray(0, 16));
const answer = encodeAnswer({ ok: true, content: "json", body: Uint8Array.of(50) });

/** A reactor whose store accepts everything; what a port was asked is looked at. */
function rig({ first = 1, refusal }: { readonly first?: number; readonly refusal?: Failed } = {}) {
  const timers = testTimers();
  const numbers = createNumbers(first);
  const later: (() => void)[] = [];
  const [opened, ran, passed]: [Opening[], Call[], [Call, PassedOn, string[]][]] = [[], [], []];
  const checks: ((checked: Call | Failed) => void)[] = [];
  let appends = 0;
  const ports: Ports = {
    worker: {
      agentOf: () => agent,
      open(opening) {
        if (refusal !== undefined) return refusal;
        opened.push(opening);
        return { agent, devices: [] };
      },
      run: (_activation, call) => void ran.push(call),
      identify: () => undefined,
      cancel: () => undefined,
      cut: () => undefined,
      close: () => undefined,
      isCurrent: () => true,
    },
    store: {
      append(_session, _record, { accepted }) {
        appends += 1;
        const seq = appends;
        later.push(() => accepted(seq));
      },
      last: (_session, _leader, asked) => void later.push(() => asked.answered(undefined)),
      traces: (_session, asked) => void later.push(() => asked.answered("nothing")),
      range: () => undefined,
      readPages: () => undefined,
      writePages: () => undefined,
      trim: () => undefined,
      trimAsleep: () => undefined,
      deletePages: () => undefined,
      writeName: () => undefined,
    },
    callers: {
      check: (call, done) => (call.grant === undefined ? done(call) : void checks.push(done)),
      threadEnded: () => undefined,
    },
    mesh: {
      forward(_incarnation, call, told) {
        const taken: string[] = [];
        passed.push([call, told, taken]);
        return (why) => void taken.push(why);
      },
      owned: () => undefined,
      released: () => undefined,
      report: (_session, _alarm, message) => assert.fail(message),
    },
  };
  const reactor = new Reactor({
    ports,
    world: {
      refresh: () => undefined,
      wallMs: 1_000,
      get monotonicMs() {
        return timers.nowMs();
      },
      incarnation,
      leaseValid: () => true,
      standing: () => ({ type: "living" }),
      unique: numbers,
      birth: () => new Uint8Array(16),
    },
    timers,
    openLane: (name) => openLane({ name, crc32, hash: hash16, folds: foldBoundsOf(true), connected: true }),
    hint: "10.0.0.1:7000",
  });
  const answers: Answer[] = [];
  return {
    reactor,
    timers,
    opened,
    ran,
    passed,
    checks,
    answers,
    get appends() {
      return appends;
    },
    enter(more: CallParts = {}, forMs = 10_000): TakeBack {
      const call = plainCall(numbers(), timers.nowMs() + forMs, more);
      return reactor.submit(call, (given) => void answers.push(given));
    },
    /** Everything that the store was asked is answered, and what follows from it. */
    settle(): void {
      for (let next = later.shift(); next !== undefined; next = later.shift()) next();
    },
    turned(index: number, turn: number): void {
      const [activation, call] = [opened[0]?.activation, ran[index]?.head.number];
      assert.ok(activation !== undefined && call !== undefined);
      const delta = Uint8Array.of(1);
      reactor.workerSaid({ type: "turned", activation, call, turn, delta, answer, canonicalHash: undefined });
    },
  };
}

const reasons = (answers: readonly Answer[]): string[] =>
  answers.map((given) => (given.ok ? "ok" : given.failure.reason));

test("calls and activations go on beyond 2^32", () => {
  const at = rig({ first: 2 ** 32 - 3 });
  for (let turn = 1; turn <= 6; turn += 1) {
    at.enter();
    at.settle();
    at.turned(turn - 1, turn);
    at.settle();
  }
  assert.deepEqual(reasons(at.answers), ["ok", "ok", "ok", "ok", "ok", "ok"]);
  const numbers = at.ran.map(({ head }) => head.number);
  assert.equal(new Set(numbers).size, 6);
  assert.ok(Math.min(...numbers) < 2 ** 32 && Math.max(...numbers) > 2 ** 32);
});

test("an opening that is refused fails the call and claims nothing", () => {
  const at = rig({ refusal: fail("no_capacity", "full") });
  at.enter();
  at.settle();
  assert.deepEqual(reasons(at.answers), ["no_capacity"]);
  assert.equal(at.appends, 0);
  assert.ok(at.reactor.isEmpty);
});

test("a call whose grant is still looked at is answered at its deadline, and does not run afterwards", () => {
  const at = rig();
  at.enter({ grant: "g" }, 500);
  at.timers.pass(500);
  assert.deepEqual(reasons(at.answers), ["turn_timeout"]);
  at.checks[0]?.(plainCall(99, 0));
  at.settle();
  assert.equal(at.ran.length, 0);
});

test("a grant that is refused answers the call, and nothing is opened", () => {
  const at = rig();
  at.enter({ grant: "g" });
  at.checks[0]?.(fail("grant_refused", "no"));
  assert.deepEqual(reasons(at.answers), ["grant_refused"]);
  assert.ok(at.reactor.isEmpty);
});

test("a deadline is met though no lane answers", () => {
  const at = rig();
  at.enter({}, 300);
  at.timers.pass(299);
  assert.deepEqual(at.answers, []);
  at.timers.pass(1);
  assert.deepEqual(reasons(at.answers), ["turn_timeout"]);
});

test("at the end of the node every call is answered", () => {
  const at = rig();
  at.enter();
  at.enter();
  at.reactor.close();
  assert.deepEqual(reasons(at.answers), ["closed", "closed"]);
});
