import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyBytesMax } from "@voda/proto/wire";
import { Body } from "./body.ts";
import { dialectOf } from "./dialect/index.ts";
import { frameMessage, unframe } from "./dialect/message.ts";
import { connectTimeoutMs, grpcTimeoutMs } from "./dialect/timeout.ts";
import type { RequestHead } from "./head.ts";
import { Refusal } from "./refusal.ts";

const grpc = dialectOf({
  method: "POST",
  target: "/a.B/C",
  http: 2,
  headersBytes: 0,
  headers: { "content-type": "application/grpc" },
});
const head = (headers: Record<string, string>, more: Partial<RequestHead> = {}): RequestHead => {
  return { method: "POST", target: "/a.B/C", http: 2, headersBytes: 0, headers, ...more };
};

test("timeouts of both protocols are milliseconds; what is not one is refused", () => {
  const cases = {
    "1H": 3_600_000,
    "2M": 120_000,
    "3S": 3000,
    "4m": 4,
    "5000u": 5,
    "6000000n": 6,
    "0m": 0,
    "99999999n": 99.999999,
  };
  for (const [text, ms] of Object.entries(cases))
    assert.ok(Math.abs((grpcTimeoutMs(head({ "grpc-timeout": text })) ?? -1) - ms) < 1e-6, text);
  assert.equal(connectTimeoutMs(head({ "connect-timeout-ms": "1500" })), 1500);
  assert.equal(grpcTimeoutMs(head({})), undefined);
  for (const text of ["", "S", "1", "-1S", "1.5S", "123456789S", "1 S", "1s"]) {
    assert.throws(() => grpcTimeoutMs(head({ "grpc-timeout": text })), Refusal, text);
  }
  for (const text of ["", "-1", "1.5", "12345678901"])
    assert.throws(() => connectTimeoutMs(head({ "connect-timeout-ms": text })), Refusal, text);
});

test("the content type tells the dialect, in any case and with parameters", () => {
  const told = (type: string, more: Partial<RequestHead> = {}): string => {
    const one = head({ "content-type": type }, more);
    const { contentType, content, problem } = dialectOf(one);
    return `${contentType} ${content} ${problem(one)?.failure.code ?? "ok"}`;
  };
  assert.equal(told("application/GRPC+proto"), "application/grpc+proto proto ok");
  assert.equal(told("application/grpc-web-text+proto"), "application/grpc-web-text+proto proto ok");
  assert.equal(told("application/json; charset=utf-8"), "application/json json ok");
  assert.equal(told("application/proto"), "application/proto proto ok");
  assert.equal(told("application/grpc", { http: 1 }), "application/grpc proto unimplemented");
  assert.equal(told("application/connect+json"), "application/json json invalid_argument");
  assert.equal(
    told("application/proto", { target: "/agents/a/k/m" }),
    "application/json json invalid_argument",
  );
});

test("a gRPC message survives its frame, in any chunks", () => {
  const message = Uint8Array.from({ length: 300 }, (_, i) => i & 255);
  const framed = frameMessage(message);
  assert.deepEqual(new Uint8Array(unframe(framed)), message);
  for (const size of [1, 3, 5, 6, 299]) {
    const body = new Body(grpc);
    for (let at = 0; at < framed.length; at += size)
      assert.equal(body.push(framed.subarray(at, at + size)), undefined);
    assert.deepEqual(new Uint8Array(unframe(body.complete())), message);
  }
});

test("the first five bytes refuse a large gRPC message, however they are cut", () => {
  const body = new Body(grpc);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bodyBytesMax + 1, 1);
  assert.equal(body.push(prefix.subarray(0, 4)), undefined);
  assert.match(
    body.push(prefix.subarray(4))?.message ?? "",
    /body of 4194305 bytes exceeds bodyBytesMax 4194304; send it in several calls/,
  );
});
