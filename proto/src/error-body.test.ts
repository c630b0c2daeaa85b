import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeMessage, errorJson, errorTrailers, httpStatus, retryHeader } from "./error-body.ts";

test("messages in trailers are percent-encoded ASCII, cut where clients would drop them", () => {
  assert.equal(encodeMessage("plain text"), "plain text");
  assert.equal(encodeMessage("100 % für\n"), "100 %25 f%C3%BCr%0A");
  const failure = {
    code: "internal",
    reason: "internal",
    message: "ü".repeat(5000),
    metadata: { a: "x".repeat(9000) },
  } as const;
  const size = Object.values(errorTrailers(failure)).reduce((sum, one) => sum + one.length, 0);
  assert.ok(size < 16_000, String(size));
  assert.doesNotMatch(decodeURIComponent(errorTrailers(failure)["grpc-message"] ?? ""), /\ufffd/);
});

test("Connect's JSON carries code, message and details that people can read too", () => {
  const json = errorJson({ code: "unavailable", reason: "draining", message: "m", retryAfterMs: 250 });
  assert.deepEqual(JSON.parse(json), {
    code: "unavailable",
    message: "m",
    details: [
      {
        type: "google.rpc.ErrorInfo",
        value: Buffer.from("\n\x08draining\x12\x08voda.dev").toString("base64").replaceAll("=", ""),
        debug: { reason: "draining", domain: "voda.dev", metadata: {} },
      },
      {
        type: "google.rpc.RetryInfo",
        value: Buffer.from([10, 7, 8, 0, 16, 128, 229, 154, 119]).toString("base64").replaceAll("=", ""),
        debug: { retryDelay: "0.25s" },
      },
    ],
  });
  assert.equal(httpStatus.resource_exhausted, 429);
});

test("HTTP says when to try again in whole seconds, never too early", () => {
  const error = { code: "unavailable", reason: "draining", message: "m" } as const;
  assert.deepEqual(retryHeader(error), {});
  for (const [retryAfterMs, seconds] of [
    [250, "1"],
    [1000, "1"],
    [1001, "2"],
  ] as const)
    assert.deepEqual(retryHeader({ ...error, retryAfterMs }), { "retry-after": seconds });
});
