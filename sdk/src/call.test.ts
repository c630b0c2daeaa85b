import assert from "node:assert/strict";
import { test } from "node:test";
import { delayOf } from "./call.ts";
import { createClient } from "./client.ts";
import { defineConfig } from "./config.ts";
import { hintCache } from "./hint.ts";
import { agent, s } from "./index.ts";

test("the backoff doubles from 100 ms to 2 s, with full jitter, after the time the mesh asked for", () => {
  const most = [1, 2, 3, 4, 5, 6, 7, 2_000].map((attempt) => delayOf(attempt, 0, 60_000, 1));
  assert.deepEqual(most, [100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000]);
  assert.equal(delayOf(3, 0, 60_000, 0), 0);
  assert.equal(delayOf(1, 500, 60_000, 0.5), 550);
});

test("the last attempts come within the time that is left, and none when it is too short", () => {
  assert.equal(delayOf(9, 0, 300, 1), 150);
  assert.equal(delayOf(9, 0, 9, 1), undefined);
  assert.equal(delayOf(1, 1_000, 1_200, 1), 1_100);
  assert.equal(delayOf(1, 1_000, 1_000, 0), undefined);
});

test("the least recently used hint is forgotten at the bound", () => {
  const hints = hintCache(2);
  hints.set("a", "1");
  hints.set("b", "2");
  hints.set("b", "3");
  assert.equal(hints.get("a"), "1");
  hints.set("c", "4");
  assert.deepEqual([hints.get("a"), hints.get("b"), hints.get("c")], ["1", undefined, "4"]);
  hints.delete("a");
  assert.equal(hints.get("a"), undefined);
});

test("a port that fetch never connects to is refused once: no later attempt could come through", async () => {
  const counter = agent("counter", { count: s.counter() }).readonly({ get: (ctx) => ctx.state.count.value });
  const config = defineConfig({ agents: [counter] });
  const client = createClient<typeof config>({ url: "http://127.0.0.1:6000" });
  await assert.rejects(client.counter("k").get(), {
    code: "invalid_argument",
    reason: "unreachable",
    message:
      "cannot reach http://127.0.0.1:6000/agents/counter/k/get: fetch keeps its port for another protocol, take another",
  });
});
