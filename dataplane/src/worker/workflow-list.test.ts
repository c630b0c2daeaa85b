import assert from "node:assert/strict";
import { test } from "node:test";
import { openState } from "@voda/state";
import { listOf } from "./workflow-list.ts";
import { type Row, Rows, type Wait } from "./workflow-rows.ts";

const row: Row = {
  workflow: "sell",
  phase: "running",
  atMs: 0,
  seed: "",
  entries: 0,
  signalled: 0,
  starts: 0,
  waits: [],
  kept: [],
  bytes: 0,
};

/** What is told of workflows `w0`, `w1`, ... */
function told(...rows: readonly Row[]): ReturnType<typeof listOf> {
  const maps = { _workflows: { kind: "map" }, _journal: { kind: "map" } } as const;
  const scope = openState(maps, { crc32: () => 0 }, undefined).begin();
  const table = new Rows(scope.state);
  for (const [i, one] of rows.entries()) table.put(`w${i}`, one);
  const list = listOf(table);
  scope.rollback();
  return list;
}

test("all are counted, and those that have not ended are named with what they wait for", () => {
  const waits: Wait[] = [
    { step: "~paid 1", signal: "paid", isTimed: true },
    { step: "~limit", isTimed: true },
  ];
  const undoing = { phase: "cancelled", error: { code: "canceled", reason: "r", message: "m" } } as const;
  assert.deepEqual(
    told(
      { ...row, phase: "waiting", waits },
      { ...row, phase: "failed" },
      { ...row, phase: "done" },
      { ...row, phase: "cancelled" },
      { ...row, undoing },
    ),
    {
      running: 1,
      waiting: 1,
      failed: 1,
      done: 1,
      cancelled: 1,
      live: [
        { id: "w0", workflow: "sell", phase: "waiting", waitsFor: ["paid", "limit"], undoing: false },
        { id: "w4", workflow: "sell", phase: "running", waitsFor: [], undoing: true },
      ],
    },
  );
});

test("however many there are, 50 are named, each with 8 of its waits", () => {
  const waits = Array.from({ length: 20 }, (_, i): Wait => ({ step: `~s${i}`, isTimed: true }));
  const { waiting, live } = told(
    ...Array.from({ length: 60 }, (): Row => ({ ...row, phase: "waiting", waits })),
  );
  assert.deepEqual([waiting, live.length, live[0]?.waitsFor.length], [60, 50, 8]);
});
