import assert from "node:assert/strict";
import { join, relative } from "node:path";
import { test } from "node:test";
import { turnLine } from "./turn-line.ts";

const time = new Date(2026, 0, 1, 12, 0, 1).getTime();
const ofAgent = { time, node: "n1", revision: "8f", agent: "counter", key: "alice", method: "add", call: 7 };
const today = { folder: "/project", clock: "today" } as const;
const place = (file: string): string => relative(".", join("/project", file));
const shown = (entry: object, child = "n1"): string | undefined =>
  turnLine(child, JSON.stringify(entry), today);

test("a line of an agent shows time, session, method, level, what was said and its fields", () => {
  assert.equal(
    shown({ level: 30, ...ofAgent, msg: "hello", fields: { items: 2, tags: ["a"] } }),
    '12:00:01 counter/alice  add  info  hello  {"items":2,"tags":["a"]}',
  );
  assert.equal(shown({ level: 20, ...ofAgent, msg: "detail" }), "12:00:01 counter/alice  add  debug  detail");
  assert.equal(
    shown({ level: 30, time, agent: "counter", msg: "loading" }),
    "12:00:01 counter  info  loading",
  );
});

test("a line that is shown later has the date and the zone of its time", () => {
  const line = JSON.stringify({
    level: 30,
    ...ofAgent,
    time: Date.UTC(2026, 10, 29, 1, 2, 3, 4),
    msg: "hello",
  });
  assert.equal(
    turnLine("n1", line, { folder: "/project", clock: "dated" }),
    "2026-11-29T01:02:03.004Z counter/alice  add  info  hello",
  );
});

test("a handler's error shows its message, the user's file and line, the frames that are the user's, and the request", () => {
  const stack = `Error: no stock
    at take (lib/stock.ts:3:9)
    at Object.add (counter.ts:12:5)
    at async Promise.all (index 0)
    at async sub/run.ts:7:1
    at new Cart [as made] (node_modules/cart/index.js:1:2)
    at Activation.run (file:///x/dist/worker.js:100:3)
    at process.processTicksAndRejections (node:internal/process/task_queues:104:5)`;
  const msg = "handler failed: Error: no stock";
  assert.equal(
    shown({ level: 50, ...ofAgent, trace: "4bf92f", request: "r-7", at: "lib/stock.ts:3:9", stack, msg }),
    `12:00:01 counter/alice  add  error  handler failed: Error: no stock  request r-7
    at ${place("lib/stock.ts")}:3:9
    at Object.add (${place("counter.ts")}:12:5)
    at async Promise.all (index 0)
    at async ${place("sub/run.ts")}:7:1
    at new Cart [as made] (${place("node_modules/cart/index.js")}:1:2)
    trace 4bf92f`,
  );
});

test("what a handler throws on purpose shows where and for which request, though it is no error of the program", () => {
  const msg = "handler threw VodaError: need 5 coins";
  assert.equal(
    shown({ level: 30, ...ofAgent, request: "r-8", at: "counter.ts:9:11", reason: "user", msg }),
    `12:00:01 counter/alice  add  info  ${msg}  {"reason":"user"}  request r-8
    at ${place("counter.ts")}:9:11`,
  );
});

test("errors that an agent logs show their message and where they come from, other fields as they are", () => {
  const stack = `Error: no stock
    at take (lib/stock.ts:3:9)
    at Activation.run (file:///x/dist/worker.js:100:3)`;
  const error = { message: "Error: no stock", stack };
  const head = "12:00:01 counter/alice  add";
  assert.equal(
    shown({ level: 30, ...ofAgent, msg: "failed", fields: { ...error, code: 7 } }),
    `${head}  info  failed: Error: no stock  {"code":7}\n    at take (${place("lib/stock.ts")}:3:9)`,
  );
  assert.equal(
    shown({ level: 50, ...ofAgent, msg: "failed", fields: { e: error, key: "k" } }),
    `${head}  error  failed  {"e":"Error: no stock","key":"k"}\n    at take (${place("lib/stock.ts")}:3:9)`,
  );
  assert.equal(shown({ level: 30, ...ofAgent, msg: "hi", fields: 7 }), `${head}  info  hi  {"fields":7}`);
});

test("of the machinery only warnings show, with their cause, under the name of the process", () => {
  assert.equal(
    shown({ level: 40, time, msg: "lease is late", lateMs: 12 }),
    '12:00:01 n1  warn  lease is late  {"lateMs":12}',
  );
  assert.equal(
    shown({
      level: 50,
      time,
      err: { type: "Error", message: "no such bundle", stack: "" },
      msg: "agent not deployed",
    }),
    "12:00:01 n1  error  agent not deployed: no such bundle",
  );
  assert.equal(shown({ level: 30, time, msg: "lease renewed" }), undefined);
  assert.equal(
    shown({ level: 30, time, namespace: "default", agent: "counter", msg: "agent deployed" }),
    undefined,
  );
});

test("of what is no log line, that of voda's own programs shows: it is why they died", () => {
  assert.equal(
    turnLine("n1", "FATAL ERROR: heap out of memory", today),
    "n1  FATAL ERROR: heap out of memory",
  );
  assert.equal(turnLine("controlplane", "{not json", today), "controlplane  {not json");
  for (const line of ["[info] envoy says", "{not json", '{"level":"high"}', ""])
    assert.equal(turnLine("envoy", line, today), undefined);
  for (const line of [
    "",
    "    at run (file:///x.js:1:2)",
    "node:internal/modules/cjs/loader:1591",
    "Node.js v26.10.0",
  ])
    assert.equal(turnLine("n1", line, today), undefined);
});
