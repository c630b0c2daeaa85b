import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as loopTick } from "node:timers/promises";
import { StoreError } from "../nats/index.ts";
import { openGate } from "./gate.ts";

test("so many are inside, the others come in their order, whether those before them end well or not", async () => {
  const gate = openGate({ insideMax: 2, waitingMax: 4 });
  const begun: number[] = [];
  const works = Array.from({ length: 5 }, () => Promise.withResolvers<number>());
  const results = works.map(({ promise }, i) =>
    gate(() => {
      begun.push(i);
      return promise;
    }),
  );
  const settled = Promise.allSettled(results);
  await loopTick();
  assert.deepEqual(begun, [0, 1]);
  works[1]?.reject(new StoreError("away"));
  await loopTick();
  assert.deepEqual(begun, [0, 1, 2]);
  works[0]?.resolve(0);
  works[2]?.resolve(2);
  await loopTick();
  assert.deepEqual(begun, [0, 1, 2, 3, 4]);
  for (const i of [3, 4]) works[i]?.resolve(i);
  assert.deepEqual(
    (await settled).map((one) => (one.status === "fulfilled" ? one.value : one.status)),
    [0, "rejected", 2, 3, 4],
  );
});

test("one more than may wait is refused with the bound", async () => {
  const gate = openGate({ insideMax: 1, waitingMax: 1 });
  const { promise, resolve } = Promise.withResolvers<number>();
  const inside = [gate(() => promise), gate(() => promise)];
  await assert.rejects(
    gate(() => promise),
    new StoreError("requestsMax 1 requests wait already"),
  );
  resolve(7);
  assert.deepEqual(await Promise.all(inside), [7, 7]);
});
