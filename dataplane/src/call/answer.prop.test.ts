import assert from "node:assert/strict";
import { test } from "node:test";
import { grpcCodes } from "@voda/proto/errors";
import { type Code, reasons } from "@voda/proto/wire";
import * as fc from "fast-check";
import { FrameError } from "../frame/index.ts";
import {
  type AnswerMeta,
  decodeAnswer,
  decodeAnswerMeta,
  decodeFailure,
  encodeAnswerMeta,
  encodeFailure,
  type Failure,
} from "./answer.ts";

const present = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;
const text = fc.string({ unit: "grapheme" });
const failure: fc.Arbitrary<Failure> = fc
  .record({
    code: fc.constantFrom(...(Object.keys(grpcCodes) as Code[])),
    reason: fc.constantFrom(...Object.keys(reasons)),
    message: text,
    retryAfterMs: fc.option(fc.nat(), { nil: undefined }),
    metadata: fc.option(fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true }), {
      nil: undefined,
    }),
    by: fc.constantFrom("handler", "thread", undefined),
  })
  .map((one) => present(one) as Failure);
const meta: fc.Arbitrary<AnswerMeta> = fc
  .record({ hint: fc.option(text, { nil: undefined }), token: fc.option(text, { nil: undefined }) })
  .map((one) => present(one) as AnswerMeta);

test("a failure reads back as it was written", () => {
  fc.assert(fc.property(failure, (one) => assert.deepEqual(decodeFailure(encodeFailure(one)), one)));
});

test("what is told beside an answer reads back as it was written", () => {
  fc.assert(fc.property(meta, (one) => assert.deepEqual(decodeAnswerMeta(encodeAnswerMeta(one)), one)));
});

test("any bytes decode or are refused with FrameError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80, size: "max" }), (bytes) => {
      for (const decode of [decodeAnswer, decodeAnswerMeta, decodeFailure]) {
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
