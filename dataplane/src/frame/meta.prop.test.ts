import assert from "node:assert/strict";
import { test } from "node:test";
import { grpcCodes } from "@voda/proto/errors";
import { type Code, reasons } from "@voda/proto/wire";
import * as fc from "fast-check";
import type { Failure } from "../invocation.ts";
import { FrameError } from "./frame.ts";
import {
  decodeFailure,
  decodeInvocationMeta,
  encodeFailure,
  encodeInvocationMeta,
  type InvocationMeta,
} from "./meta.ts";

const hash16 = fc.uint8Array({ minLength: 16, maxLength: 16 });
const maybeText = fc.option(fc.string({ unit: "grapheme" }), { nil: undefined });
const meta: fc.Arbitrary<InvocationMeta> = fc
  .record({
    id: fc.option(hash16, { nil: undefined }),
    bodyHash: hash16,
    keepMs: fc.nat(),
    content: fc.constantFrom("json", "proto"),
    readonly: fc.boolean(),
    caller: fc.oneof(fc.constant("anonymous"), fc.string()),
    traceparent: maybeText,
    hops: fc.nat(16),
    grant: maybeText,
  })
  .map((one) => ({ ...one, bodyHash: one.id === undefined ? new Uint8Array(16) : one.bodyHash }));
const failure: fc.Arbitrary<Failure> = fc
  .record({
    code: fc.constantFrom(...(Object.keys(grpcCodes) as Code[])),
    reason: fc.constantFrom(...Object.keys(reasons)),
    message: fc.string({ unit: "grapheme" }),
    retryAfterMs: fc.option(fc.nat(), { nil: undefined }),
    metadata: fc.option(fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true }), {
      nil: undefined,
    }),
  })
  .map(({ retryAfterMs, metadata, ...rest }) => ({
    ...rest,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(metadata === undefined ? {} : { metadata }),
  }));

test("the meta of an invocation reads back as it was written", () => {
  fc.assert(
    fc.property(meta, (one) => assert.deepEqual(decodeInvocationMeta(encodeInvocationMeta(one)), one)),
  );
});

test("a failure reads back as it was written", () => {
  fc.assert(fc.property(failure, (one) => assert.deepEqual(decodeFailure(encodeFailure(one)), one)));
});

test("any bytes decode or are refused with FrameError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      for (const decode of [decodeInvocationMeta, decodeFailure]) {
        try {
          decode(bytes);
        } catch (error) {
          assert.ok(error instanceof FrameError, String(error));
        }
      }
    }),
    { numRuns: 5000 },
  );
});

test("entries out of order, doubled or unknown are refused", () => {
  for (const bytes of [[4, 3], [4, 4], [9], [0]])
    assert.throws(() => decodeInvocationMeta(Uint8Array.from(bytes)), FrameError);
});
