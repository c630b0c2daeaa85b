import assert from "node:assert/strict";
import { test } from "node:test";
import { grpcCodes } from "@voda/proto/errors";
import type { Code } from "@voda/proto/wire";
import * as fc from "fast-check";
import {
  FrameCursor,
  FrameError,
  type FrameFields,
  frameLength,
  frameMemory,
  writeFrame,
} from "../frame/index.ts";
import {
  type FromWorker,
  fromWorkerFrame,
  readFromWorker,
  readToWorker,
  type ToWorker,
  toWorkerFrame,
} from "./messages.ts";

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const bytes = fc.uint8Array({ maxLength: 200 });
const text = fc.string({ unit: "grapheme", maxLength: 60 });
const why = fc.constantFrom("deadline" as const, "caller" as const);
const record = <T>(of: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(of, { noNullPrototype: true });
const is = <T extends string>(type: T): fc.Arbitrary<T> => fc.constant(type);

const run = record({
  call: u32,
  method: text,
  readonly: fc.boolean(),
  content: fc.constantFrom("json" as const, "proto" as const),
  deadlineMs: fc.integer({ min: 0, max: 2 ** 45 }),
  caller: text,
  body: bytes,
});
const toWorker: fc.Arbitrary<ToWorker> = fc.oneof(
  record({ type: is("open"), activation: u32, agent: text, key: text, origin: u32 }),
  record({ type: fc.constantFrom("page" as const, "delta" as const), activation: u32, bytes }),
  record({ type: fc.constantFrom("opened" as const, "cut" as const, "close" as const), activation: u32 }),
  record({ type: is("run"), activation: u32, run }),
  record({ type: is("cancel"), activation: u32, call: u32, why }),
);
const failure = record({
  code: fc.constantFrom(...(Object.keys(grpcCodes) as Code[])),
  reason: text,
  message: text,
});
const fromWorker: fc.Arbitrary<FromWorker> = fc.oneof(
  record({ type: is("turned"), activation: u32, call: u32, turn: u32, delta: bytes, answer: bytes }),
  record({
    type: fc.constantFrom("failed" as const, "read" as const),
    activation: u32,
    call: u32,
    after: u32,
    answer: bytes,
  }),
  record({ type: is("dropped"), activation: u32, call: u32, why }),
  record({ type: is("cut_page"), activation: u32, bytes }),
  record({ type: is("cut"), activation: u32, after: u32 }),
  record({ type: is("open_failed"), activation: u32, failure }),
  record({
    type: is("log"),
    level: fc.constantFrom("debug" as const, "info" as const, "warn" as const, "error" as const),
    line: text,
  }),
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
    fc.property(toWorker, (message) =>
      assert.deepEqual(passed(toWorkerFrame(message), readToWorker), message),
    ),
  );
});

test("what the worker says reaches the I/O thread as it was said", () => {
  fc.assert(
    fc.property(fromWorker, (message) =>
      assert.deepEqual(passed(fromWorkerFrame(message), readFromWorker), message),
    ),
  );
});

test("a frame of the other direction, or of no kind, is refused", () => {
  fc.assert(
    fc.property(toWorker, fromWorker, fc.integer({ min: 24, max: 255 }), (to, from, kind) => {
      assert.throws(() => passed(toWorkerFrame(to), readFromWorker), FrameError);
      assert.throws(() => passed(fromWorkerFrame(from), readToWorker), FrameError);
      assert.throws(() => passed({ ...toWorkerFrame(to), kind }, readToWorker), FrameError);
    }),
  );
});
