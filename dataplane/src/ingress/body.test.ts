import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Body } from "./body.ts";
import { dialectOf } from "./dialect/index.ts";
import type { RequestHead } from "./head.ts";

const head: RequestHead = {
  method: "POST",
  target: "/agents/probe/a/echo",
  http: 1,
  headers: { "content-type": "application/json" },
  headersBytes: 0,
};
const mib = 1024 ** 2;
setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

test("a body that comes as one chunk is that chunk, not a copy of it", () => {
  const body = new Body(dialectOf(head));
  const chunk = Buffer.from("whole");
  body.push(chunk);
  assert.equal(body.complete().buffer, chunk.buffer);
  assert.equal(body.complete().byteOffset, chunk.byteOffset);
});

test("chunks of all sizes come out as they came in, and what they were cut from is left alone", () => {
  const body = new Body(dialectOf(head));
  const all = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 251));
  const source = Buffer.from(all);
  const sizes = [1, 0, 3, 4096, 1, 65_536, 7, 30_356];
  let at = 0;
  for (const size of sizes) {
    assert.equal(body.push(source.subarray(at, at + size)), undefined);
    at += size;
  }
  assert.equal(at, all.length);
  assert.ok(body.complete().equals(all));
  assert.ok(source.equals(all));
});

test("a body in chunks of one byte costs about what it holds", () => {
  const body = new Body(dialectOf(head));
  const source = Buffer.alloc(mib, "x");
  const used = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = used();
  for (let at = 0; at < mib; at += 1) body.push(source.subarray(at, at + 1));
  const cost = used() - before;
  assert.ok(cost < 8 * mib, `${cost} bytes for a body of ${mib}`);
  assert.equal(body.complete().length, mib);
});
