import assert from "node:assert/strict";
import { test } from "node:test";
import { all, callOf, createRig, sixteen } from "../../test/lane-rig.ts";
import type { Send } from "../call/index.ts";
import { waitsOf } from "./waits.ts";

const send = (key: string, more: Partial<Send> = {}): Send => ({
  agent: "sink",
  key,
  method: "take",
  body: sixteen(1),
  ...more,
});
const timer = (id: string, ms: number): Send => send("later", { timing: { id, due: { type: "at", ms } } });

test("what was sent and is not over, and the timers of handlers, are told; those of workflows apart", () => {
  const rig = createRig().held();
  rig.invoke(callOf(1));
  const sends = [
    send("a"),
    send("b"),
    timer("late", 9_000_000),
    timer("soon", 8_000_000),
    timer("_workflow 0 ~approved", 7_000_000),
    timer("_workflows", 6_000_000),
  ];
  const turned = rig.turned(1, 1, sends);
  const ring = all(turned, "ring")[0];
  rig.accept(ring === undefined ? turned : rig.feed({ type: "rung", token: ring.token, seq: 50 }));
  const { oldest, ...waits } = waitsOf(rig.lane) ?? assert.fail("it is in memory");
  assert.deepEqual(waits, {
    letters: 2,
    alone: 0,
    timers: 2,
    nextTimerMs: 8_000_000,
    nextWorkflowMs: 7_000_000,
  });
  assert.deepEqual([oldest?.key, oldest?.atMs], ["a", rig.world.storeMs]);
});

test("a session that is not in memory has nothing to tell", () => {
  assert.equal(waitsOf(createRig().lane), undefined);
});
