import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { GetPlacementCountersResponseSchema, NodeSchema } from "@voda/proto/api";
import { fitted, screen } from "./top.ts";

const uuid = (i: number): string => `GPU-${String(i).padStart(8, "0")}-1234-5678-9abc-def012345678`;
const device = (i: number) => ({
  uuid: uuid(i),
  model: "NVIDIA H200",
  memoryMib: 143_771,
  allocatedMemoryMib: 143_771,
});
const node = (n: number, gpus: number) =>
  create(NodeSchema, {
    id: `n${n}`,
    ready: true,
    devices: Array.from({ length: gpus }, (_, i) => device(100 * n + i)),
  });
const counters = create(GetPlacementCountersResponseSchema, {
  decisions: 5n,
  refusals: { gpu_count: 1n },
  strandedGpuMilli: 500,
  sleptForRoom: 3n,
});

test("the screen tells the counters, every node and every GPU", () => {
  const shown = screen({ nodes: [node(1, 16), node(2, 0)], counters });
  assert.match(shown, /^decisions 5, refused gpu_count: 1, stranded GPUs 0\.5, put to sleep for others 3\n/);
  for (const said of ["n1", "n2", uuid(100), uuid(115)]) assert.ok(shown.includes(said), said);
  assert.match(screen({ nodes: [], counters }), /no nodes/);
});

test("what was saved against another policy is told once it was compared", () => {
  const fgd = { decisions: 40n, sameNode: 30n, lostMilli: -1234 };
  const shown = screen({
    nodes: [],
    counters: create(GetPlacementCountersResponseSchema, { shadow: { fgd, spread: {} } }),
  });
  assert.match(shown, /AGAINST POLICY +COMPARED +SAME NODE +LOST GPUs\nfgd +40 +30 +-1\.23$/);
  assert.doesNotMatch(shown, /spread/);
});

test("in a terminal of 80 by 24 nothing wraps or scrolls, GPUs stay distinct, and the last line tells what is cut", () => {
  const lines = fitted({ nodes: [node(1, 16), node(2, 16)], counters }, { columns: 80, rows: 24 }).split(
    "\n",
  );
  assert.ok(lines.length < 24, `${lines.length} lines`);
  for (const line of lines) assert.ok(line.length <= 80, `"${line}" has ${line.length} characters`);
  const gpus = lines.filter((line) => line.startsWith("GPU-")).map((line) => line.split(" ")[0]);
  assert.equal(new Set(gpus).size, gpus.length);
  assert.ok(gpus.length > 10 && lines.some((line) => line.includes("143771 of 143771 MiB")));
  assert.match(lines.at(-1) ?? "", /^and \d+ lines more: voda top --once$/);
});

test("where there is room, and where the output is no terminal, everything is shown", () => {
  const seen = { nodes: [node(1, 4)], counters };
  assert.equal(fitted(seen, { columns: 200, rows: 50 }), screen(seen));
  assert.equal(fitted(seen, {}), screen(seen));
});
