import assert from "node:assert/strict";
import { test } from "node:test";
import { turnLine } from "./turn-line.ts";

const at = new Date(2026, 0, 1, 12, 0, 1).getTime();

test("a line of an agent shows time, session, method and what was said", () => {
  const line = JSON.stringify({
    level: 30,
    time: at,
    agent: "counter",
    key: "alice",
    method: "add",
    msg: "hello",
  });
  assert.equal(turnLine("n1", line), "12:00:01 counter/alice  add  hello");
});

test("of the machinery only warnings show, under the name of the process", () => {
  assert.equal(
    turnLine("n1", JSON.stringify({ level: 40, time: at, msg: "lease is late" })),
    "12:00:01 n1  lease is late",
  );
  assert.equal(turnLine("n1", JSON.stringify({ level: 30, time: at, msg: "lease renewed" })), undefined);
});

test("what is no log line of voda does not show", () => {
  for (const line of ["[info] envoy says", "{not json", '{"level":"high"}', ""])
    assert.equal(turnLine("envoy", line), undefined);
});
