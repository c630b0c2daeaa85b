import assert from "node:assert/strict";
import { test } from "node:test";
import { readAck } from "./ack.ts";

const read = (text: string) => readAck(new TextEncoder().encode(text));

test("a success gives the sequence, whatever stands around it", () => {
  assert.deepEqual(read('{"stream":"VODA_LOG_0","seq":17}'), { type: "acked", seq: 17 });
  assert.deepEqual(read('{"stream":"VODA_LOG_0", "seq": 9007199254740991}'), {
    type: "acked",
    seq: 9007199254740991,
  });
  assert.deepEqual(read('{"stream":"L","domain":"hub","seq":3,"duplicate":true}'), { type: "acked", seq: 3 });
  assert.deepEqual(read('{"stream":"VODA_LOG_0","seq":1}'), { type: "acked", seq: 1 });
});

test("the sequence is what the server calls seq, and nothing that looks like it", () => {
  for (const key of ["sex", "saq", "xeq", "aseq"])
    assert.deepEqual(read(`{"stream":"L","${key}":9,"seq":3}`), { type: "acked", seq: 3 }, key);
  assert.deepEqual(read('{"stream":"L","domain":"seq","seq":3}'), { type: "acked", seq: 3 });
});

test("both codes of a wrong last sequence are refusals", () => {
  for (const code of [10071, 10164]) {
    const text = `{"error":{"code":400,"err_code":${code},"description":"wrong last sequence: 4"},"stream":"L","seq":0}`;
    assert.deepEqual(read(text), { type: "refused", code });
  }
});

test("another error keeps its code and words", () => {
  const text =
    '{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"L","seq":0}';
  assert.deepEqual(read(text), { type: "error", code: 10077, description: "maximum messages exceeded" });
  assert.deepEqual(read('{"error":{"code":503}}'), { type: "error", code: 0, description: "no description" });
});

test("half an answer, none, or one without a verdict decides nothing", () => {
  for (const text of [
    "",
    "{",
    '{"stream":"VODA_LOG_0","se',
    '{"stream":"VODA_LOG_0"}',
    '{"stream":"L","seq":null,"val":7}',
    '{"stream":"L","seq":"7"}',
    "{}",
    '{"error":{"code":4',
  ]) {
    assert.deepEqual(read(text), { type: "unanswered" }, text);
  }
});
