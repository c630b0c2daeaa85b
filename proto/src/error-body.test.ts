import assert from "node:assert/strict";
import { test } from "node:test";
import { errorJson, errorTrailers, httpStatus, retryHeader } from "./error-body.ts";

const base = { code: "failed_precondition", reason: "user" } as const;
const messageIn = (message: string): string | undefined =>
  errorTrailers({ ...base, message })["grpc-message"];

test("messages in trailers are percent-encoded ASCII", () => {
  assert.equal(messageIn("plain text"), "plain text");
  assert.equal(messageIn("100 % für\n"), "100 %25 f%C3%BCr%0A");
  assert.equal(messageIn("😀"), "%F0%9F%98%80");
});

for (const [name, message, metadata] of [
  ["two-byte letters", "é".repeat(1000), {}],
  ["emoji", "😀".repeat(4000), {}],
  ["control characters", "\u0001".repeat(9000), {}],
  ["ASCII", "x".repeat(9000), {}],
  ["percent signs", "%".repeat(2048), {}],
  ["large metadata", "é".repeat(9000), { a: "x".repeat(9000) }],
  ["much metadata", "short", Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`key${i}`, "value"]))],
] as const) {
  test(`trailers of an error stay below what clients take, after encoding: ${name}`, () => {
    const trailers = errorTrailers({ ...base, message, metadata });
    const size = Object.entries(trailers).reduce(
      (sum, [key, value]) => sum + key.length + value.length + 32,
      0,
    );
    assert.ok(size <= 6_500, `${size} bytes leave too little of 8 KiB for the other headers`);
    const told = decodeURIComponent(trailers["grpc-message"] ?? "");
    assert.ok(message.startsWith(told) && told.length >= Math.min(message.length, 170), told);
    const details = Buffer.from(trailers["grpc-status-details-bin"] ?? "", "base64").toString();
    assert.match(details, /google.rpc.ErrorInfo/);
  });
}

test("a reason that has no room in trailers leaves code and message", () => {
  const trailers = errorTrailers({ code: "aborted", reason: "r".repeat(5000), message: "m" });
  assert.deepEqual(trailers, { "grpc-status": "10", "grpc-message": "m" });
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
