import assert from "node:assert/strict";
import { test } from "node:test";
import { sessionToken } from "@voda/proto/session";
import * as fc from "fast-check";
import {
  FrameCursor,
  FrameError,
  type FrameFields,
  frameLength,
  frameMemory,
  writeFrame,
} from "../frame/index.ts";
import { type Call, type CallId, chainMax, type SessionCall } from "./call.ts";
import { decodeCall, decodeSessionCall, encodeCall, encodeSessionCall } from "./codec.ts";

const hash16 = fc.uint8Array({ minLength: 16, maxLength: 16 });
const text = fc.string({ unit: "grapheme" });
const id: fc.Arbitrary<CallId> = fc.oneof(
  fc.record(
    { type: fc.constant("key" as const), id: hash16, keepMs: fc.nat(), rawHash: hash16 },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      type: fc.constant("numbered" as const),
      client: hash16,
      seq: fc.maxSafeNat(),
      lowest: fc.maxSafeNat(),
      rawHash: hash16,
    },
    { noNullPrototype: true },
  ),
  fc
    .record({ source: hash16, n: fc.maxSafeNat() })
    .map(({ source, n }) => ({ type: "sent" as const, source, n, rawHash: source })),
);
const key = fc.constantFrom("k", "käthe", "\ufeffk", "a/b");
const head = fc.record({
  type: fc.constantFrom("invoke" as const, "end" as const, "wake" as const, "deliver" as const),
  number: fc.maxSafeNat(),
  readonly: fc.boolean(),
  deadlineMs: fc.nat(),
  id: fc.option(id, { nil: undefined }),
  hops: fc.nat(16),
  mayHaveBegun: fc.boolean(),
  isSuspect: fc.boolean(),
  onBusy: fc.constantFrom("queue" as const, "reject" as const),
});
const call: fc.Arbitrary<Call> = fc
  .record({
    head,
    namespace: fc.constantFrom("default", "other"),
    key,
    method: text,
    content: fc.constantFrom("json" as const, "proto" as const),
    body: fc.uint8Array({ maxLength: 40, size: "max" }),
    caller: fc.oneof(fc.constant("anonymous"), text),
    traceparent: fc.option(text, { nil: undefined }),
    requestId: fc.option(text, { nil: undefined }),
    chain: fc.array(text, { maxLength: chainMax }),
  })
  .map(({ head: parts, namespace, key: one, ...rest }) => {
    const name = { namespace, agent: "counter", key: one };
    return {
      ...rest,
      head: { ...parts, bytes: rest.body.length },
      name,
      token: sessionToken(name),
      grant: undefined,
      devices: undefined,
    };
  });

/** Through memory that is dirty, and dirty again as soon as it is read. */
function passed<T>(fields: FrameFields, read: (frame: FrameCursor) => T): T {
  const length = frameLength(fields.subject.length, fields.meta.length, fields.payload.length);
  const memory = frameMemory(new Uint8Array(new SharedArrayBuffer(length + 8)).fill(0xa5));
  writeFrame(memory, 8, fields);
  const cursor = new FrameCursor();
  cursor.open(memory, 8, length);
  const got = read(cursor);
  memory.bytes.fill(0x5a);
  return got;
}

test("a call reaches another node as it was, under the number and by the clock of that node", () => {
  fc.assert(
    fc.property(call, (one) => {
      const got = passed(encodeCall(one, 500), (frame) => decodeCall(frame, 7, 10_500));
      const deadlineMs = one.head.deadlineMs + 10_000;
      assert.deepEqual(got, { ...one, head: { ...one.head, number: 7, deadlineMs } });
    }),
  );
});

test("a call reaches a worker as it was, but for whose it is", () => {
  fc.assert(
    fc.property(call, (one) => {
      const got = passed(encodeSessionCall(one, 500), (frame) => decodeSessionCall(frame, 500));
      const { name: _n, token: _t, grant: _g, devices: _d, ...rest } = one;
      assert.deepEqual(got, rest satisfies SessionCall);
    }),
  );
});

test("a plain call of a worker has no meta block", () => {
  fc.assert(
    fc.property(call, (one) => {
      const plain = { ...one, caller: "anonymous", traceparent: undefined, requestId: undefined, chain: [] };
      const sent = { ...one.head, id: undefined, hops: 0 };
      assert.equal(encodeSessionCall({ ...plain, head: sent }, 0).meta.length, 0);
    }),
  );
});

test("any meta and type decode or are refused with FrameError", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 80, size: "max" }),
      fc.integer({ min: 0, max: 6 }),
      (meta, code) => {
        try {
          passed(
            Object.assign(encodeSessionCall(fc.sample(call, 1)[0] ?? assert.fail(), 0), { meta, code }),
            (frame) => decodeCall(frame, 1, 0),
          );
        } catch (error) {
          assert.ok(error instanceof FrameError, String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("entries out of order, doubled or unknown, two ids and an unknown type are refused", () => {
  const [one] = fc.sample(call, 1);
  assert.ok(one !== undefined);
  const refused = (more: Partial<FrameFields>): void =>
    assert.throws(
      () => passed(Object.assign(encodeSessionCall(one, 0), more), (frame) => decodeSessionCall(frame, 0)),
      FrameError,
    );
  for (const meta of [[6, 1, 5, 0], [6, 1, 6, 1], [10], [0]]) refused({ meta: Uint8Array.from(meta) });
  const keyed = [2, ...new Uint8Array(32), 0];
  refused({ meta: Uint8Array.from([...keyed, 3, ...new Uint8Array(32), 0, 0]) });
  refused({ code: 4 });
});
