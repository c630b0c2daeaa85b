import assert from "node:assert/strict";
import { test } from "node:test";
import { grpcCodes } from "@voda/proto/errors";
import { keyProblem } from "@voda/proto/name";
import {
  bodyBytesMax,
  type Code,
  everyMsMin,
  pageBytesMax,
  timerMsMax,
  turnBytesMax,
} from "@voda/proto/wire";
import { systemClock } from "@voda/stdx";
import * as fc from "fast-check";
import { plainCall } from "../../test/call.ts";
import {
  FrameCursor,
  FrameError,
  type FrameFields,
  frameLength,
  frameMemory,
  writeFrame,
} from "../frame/index.ts";
import { type FromWorker, fromWorker } from "./from-worker.ts";
import { type ToWorker, toWorker } from "./to-worker.ts";

/** Beyond 2^32 too: nothing that counts up for the life of a process is cut off. */
const number = fc.maxSafeNat();
const signed = fc.integer();
const bytes = fc.uint8Array({ maxLength: 200, size: "max" });
const text = fc.string({ unit: "grapheme", maxLength: 60, size: "max" });
const why = fc.constantFrom("deadline" as const, "caller" as const);
const record = <T>(of: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(of, { noNullPrototype: true });
const is = <T extends string>(type: T): fc.Arbitrary<T> => fc.constant(type);

const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((hash) => Uint8Array.from(hash));

const failure = record({
  code: fc.constantFrom(...(Object.keys(grpcCodes) as Code[])),
  reason: text,
  message: text,
});

const said: fc.Arbitrary<ToWorker> = fc.oneof(
  record({
    type: is("open"),
    activation: number,
    name: record({ namespace: text, agent: text, key: text }),
    epoch: number,
    isReleased: fc.boolean(),
  }),
  record({ type: fc.constantFrom("page" as const, "delta" as const), activation: number, bytes }),
  record({ type: fc.constantFrom("opened" as const, "cut" as const, "close" as const), activation: number }),
  record({ type: is("cancel"), activation: number, call: number, why }),
  record({
    type: is("outbox"),
    activation: number,
    messages: signed,
    timers: signed,
    bytes: signed,
  }),
  record({
    type: is("recall"),
    activation: number,
    call: number,
    recalled: record({ seed: sixteen, times: fc.array(fc.array(number), { minLength: 1, maxLength: 3 }) }),
  }),
  record({
    type: is("step_answered"),
    activation: number,
    step: number,
    answer: fc.oneof(
      record({ type: is("begin"), idempotencyKey: bytes }),
      record({ type: is("result"), result: bytes }),
      record({ type: fc.constantFrom("refused" as const, "ended" as const), failure }),
    ),
  }),
  record({
    type: is("ask_answered"),
    activation: number,
    askId: number,
    answer: record({ ok: fc.constant(true as const), content: fc.constant("json" as const), body: bytes }),
  }),
);
const canonicalHash = fc.option(sixteen, { nil: undefined });
const timerMs = fc.integer({ min: everyMsMin, max: timerMsMax });
const due = fc.oneof(
  record({ type: fc.constantFrom("in" as const, "at" as const, "every" as const), ms: timerMs }),
  record({ type: is("cron"), firstMs: timerMs, pattern: text, zone: text }),
  record({ type: is("never") }),
);
const key = text.filter((one) => keyProblem(one) === undefined);
const target = { agent: is("sink"), key, method: text, body: bytes.map((one) => one.slice()) };
const sent = fc.oneof(record(target), record({ ...target, timing: record({ id: text, due }) }));
const heard: fc.Arbitrary<FromWorker> = fc.oneof(
  record({ type: is("identified"), activation: number, call: number, canonicalHash }),
  record({
    type: is("turned"),
    activation: number,
    call: number,
    turn: number,
    delta: bytes,
    answer: bytes,
    canonicalHash,
    sends: fc.array(sent, { maxLength: 3 }),
  }),
  record({ type: is("step"), activation: number, by: number, step: number, name: text, canonicalHash }),
  record({
    type: is("step_done"),
    activation: number,
    step: number,
    result: bytes,
    drawn: record({ seed: sixteen, times: fc.array(number) }),
  }),
  record({ type: is("check"), activation: number, askId: number, agent: text, method: text }),
  record({
    type: fc.constantFrom("failed" as const, "read" as const),
    activation: number,
    call: number,
    after: number,
    answer: bytes,
  }),
  record({ type: is("dropped"), activation: number, call: number, why, hasBegun: fc.boolean() }),
  record({ type: is("cut_page"), activation: number, bytes }),
  record({ type: is("cut"), activation: number, after: number }),
  record({ type: is("open_failed"), activation: number, failure }),
  record({
    type: is("log"),
    level: fc.constantFrom("debug" as const, "info" as const, "warn" as const, "error" as const),
    line: text,
  }),
  record({ type: is("loaded"), line: text }),
  record({ type: is("not_loaded"), line: text }),
);

/** Through shared memory that is dirty, and dirty again as soon as the message is read. */
function passed<T>(fields: FrameFields, read: (frame: FrameCursor) => T): T {
  const length = frameLength(fields.subject.length, fields.meta.length, fields.payload.length);
  const memory = frameMemory(new Uint8Array(new SharedArrayBuffer(length + 8)).fill(0xa5));
  writeFrame(memory, 8, fields);
  const cursor = new FrameCursor();
  cursor.open(memory, 8, length);
  const message = read(cursor);
  memory.bytes.fill(0x5a);
  return message;
}

test("what the I/O thread says reaches the worker as it was said", () => {
  fc.assert(
    fc.property(said, (message) =>
      assert.deepEqual(passed(toWorker.encode(message), toWorker.decode), message),
    ),
  );
});

test("a call reaches the worker with its activation", () => {
  const call = plainCall(2 ** 32 + 1, 5_000);
  const frame = toWorker.encode({ type: "run", activation: 2 ** 33, call });
  const got = passed(frame, toWorker.decode);
  assert.ok(got.type === "run");
  assert.deepEqual([got.activation, got.call.head.number, got.call.method], [2 ** 33, 2 ** 32 + 1, "add"]);
});

test("an ask reaches the I/O thread with who asks, and what is asked of whom", () => {
  const request = plainCall(0, systemClock.monotonicMs() + 5_000, {
    chain: ["a/k"],
    body: Uint8Array.of(51),
  });
  const frame = fromWorker.encode({ type: "ask", activation: 2 ** 33, by: 2 ** 34, askId: 2 ** 35, request });
  const got = passed(frame, fromWorker.decode);
  assert.ok(got.type === "ask");
  assert.deepEqual([got.activation, got.by, got.askId], [2 ** 33, 2 ** 34, 2 ** 35]);
  const { head, name, method, chain, body } = got.request;
  assert.deepEqual([name, method, chain, body], [request.name, "add", ["a/k"], Uint8Array.of(51)]);
  assert.ok(head.deadlineMs - systemClock.monotonicMs() <= 5_000);
});

test("a session's key keeps its byte order mark", () => {
  const name = { namespace: "default", agent: "a", key: "\ufeffk" };
  const got = passed(
    toWorker.encode({ type: "open", activation: 1, name, epoch: 1, isReleased: true }),
    toWorker.decode,
  );
  assert.deepEqual(got.type === "open" && got.name, name);
});

test("what the worker says reaches the I/O thread as it was said", () => {
  fc.assert(
    fc.property(heard, (message) =>
      assert.deepEqual(passed(fromWorker.encode(message), fromWorker.decode), message),
    ),
  );
});

test("a hash that is cut off is refused: a record would keep it", () => {
  const nothing = new Uint8Array(0);
  const of = { activation: 1, call: 2, turn: 3, delta: nothing, answer: nothing };
  const turned = fromWorker.encode({ type: "turned", ...of, canonicalHash: new Uint8Array(16), sends: [] });
  assert.throws(() => passed({ ...turned, meta: turned.meta.subarray(0, 5) }, fromWorker.decode), FrameError);
});

test("what is larger than the store or another node takes is refused where it is read", () => {
  const of = { activation: 1, call: 2, after: 0 };
  const request = plainCall(0, 5_000, { body: new Uint8Array(bodyBytesMax + 1) });
  const large: readonly FromWorker[] = [
    { type: "read", ...of, answer: new Uint8Array(turnBytesMax + 1) },
    { type: "failed", ...of, answer: new Uint8Array(turnBytesMax + 1) },
    { type: "cut_page", activation: 1, bytes: new Uint8Array(pageBytesMax + 1) },
    { type: "ask", activation: 1, by: 2, askId: 3, request },
  ];
  for (const message of large)
    assert.throws(() => passed(fromWorker.encode(message), fromWorker.decode), /its bound is \d+$/);
});

test("a frame of no message is refused", () => {
  fc.assert(
    fc.property(said, heard, fc.integer({ min: 19, max: 255 }), (to, from, kind) => {
      assert.throws(() => passed({ ...toWorker.encode(to), kind }, toWorker.decode), FrameError);
      assert.throws(() => passed({ ...fromWorker.encode(from), kind }, fromWorker.decode), FrameError);
    }),
  );
});
