import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyBytesMax } from "@voda/proto/wire";
import { Body } from "./body.ts";
import { dialectOf } from "./dialect.ts";
import { frameMessage, unframe } from "./grpc.ts";
import { cookieOf, type Head } from "./head.ts";
import { Refusal } from "./refusal.ts";
import { timeoutMs } from "./timeout.ts";

const head = (headers: Record<string, string>, more: Partial<Head> = {}): Head => {
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
    assert.ok(Math.abs((timeoutMs(head({ "grpc-timeout": text })) ?? -1) - ms) < 1e-6, text);
  assert.equal(timeoutMs(head({ "connect-timeout-ms": "1500" })), 1500);
  assert.equal(timeoutMs(head({})), undefined);
  for (const text of ["", "S", "1", "-1S", "1.5S", "123456789S", "1 S", "1s"]) {
    assert.throws(() => timeoutMs(head({ "grpc-timeout": text })), Refusal, text);
  }
  for (const text of ["", "-1", "1.5", "12345678901"])
    assert.throws(() => timeoutMs(head({ "connect-timeout-ms": text })), Refusal, text);
});

test("the content type tells the protocol, in any case and with parameters", () => {
  const told = (type: string, more: Partial<Head> = {}): string => {
    const { dialect, problem } = dialectOf(head({ "content-type": type }, more));
    return problem === undefined
      ? `${dialect.protocol} ${dialect.content}`
      : `${dialect.protocol} ${problem.failure.code}`;
  };
  assert.equal(told("application/GRPC+proto"), "grpc proto");
  assert.equal(told("application/grpc-web-text+proto"), "grpc-web-text proto");
  assert.equal(told("application/json; charset=utf-8"), "connect json");
  assert.equal(told("application/proto"), "connect proto");
  assert.equal(told("application/grpc", { http: 1 }), "grpc unimplemented");
  assert.equal(told("application/connect+json"), "connect invalid_argument");
  assert.equal(told("application/json", { target: "/agents/a/k/m" }), "plain json");
});

test("a gRPC message survives its frame, in any chunks", () => {
  const message = Uint8Array.from({ length: 300 }, (_, i) => i & 255);
  const framed = frameMessage(message);
  assert.deepEqual(new Uint8Array(unframe(framed)), message);
  for (const size of [1, 3, 5, 6, 299]) {
    const body = new Body("grpc");
    for (let at = 0; at < framed.length; at += size)
      assert.equal(body.push(framed.subarray(at, at + size)), undefined);
    assert.deepEqual(new Uint8Array(body.finish()), message);
  }
});

test("the first five bytes refuse a large gRPC message, however they are cut", () => {
  const body = new Body("grpc");
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bodyBytesMax + 1, 1);
  assert.equal(body.push(prefix.subarray(0, 4)), undefined);
  assert.match(
    body.push(prefix.subarray(4))?.message ?? "",
    /body of 4194305 bytes exceeds bodyBytesMax 4194304/,
  );
});

test("a cookie is found among others", () => {
  assert.equal(cookieOf(head({ cookie: "a=1; voda_host=10.0.0.1:1;b=2" }), "voda_host"), "10.0.0.1:1");
  assert.equal(cookieOf(head({ cookie: "xvoda_host=1" }), "voda_host"), undefined);
  assert.equal(cookieOf(head({}), "voda_host"), undefined);
});
