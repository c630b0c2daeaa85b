import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { HeartbeatSchema, ReportSchema } from "@voda/proto/node";
import { sessionToken } from "@voda/proto/session";
import { place, type Resources } from "../placement/index.ts";
import { Directory, type DirectoryNode, tentativeMs } from "./directory.ts";

const cpu100: Resources = { cpuMilli: 100, memoryMib: 64, gpu: { kind: "none" } };
const node = (id: string, incarnation = "1"): DirectoryNode => ({
  id,
  incarnation,
  ingress: `127.0.0.1:${id}`,
  cpuMilli: 1000,
  memoryMib: 1024,
  diskMib: 0,
  zone: "",
  gpus: [],
});
const name = (key: string) => ({ namespace: "default", agent: "counter", key });
const token = (key: string) => sessionToken(name(key));
const on = (key: string, epoch = 1n) => ({ ...name(key), epoch });
const report = (id: string, sequence: bigint, more: MessageInitShape<typeof ReportSchema> = {}) =>
  create(ReportSchema, { node: id, incarnation: "1", sequence, ...more });

function directoryOf(...ids: string[]): Directory {
  const directory = new Directory({ resourcesOf: () => cpu100, sessionsMax: 100 });
  for (const id of ids) {
    directory.join(node(id));
    directory.apply(report(id, 1n, { full: true }));
  }
  return directory;
}

function reserve(directory: Directory, key: string, nowMs: number): string {
  const plan = place(directory.snapshot(), { session: token(key), namespace: "default", resources: cpu100 });
  assert.equal(plan.kind, "plan");
  directory.reserve(token(key), plan, nowMs);
  return plan.node;
}
const cpuOf = (directory: Directory): number[] => directory.nodes().map(({ books }) => books.allocated.cpuMilli);

test("reports say where sessions are and what they take", () => {
  const directory = directoryOf("a", "b");
  assert.equal(directory.apply(report("a", 2n, { activated: [on("x"), on("y")] })), "applied");
  assert.equal(directory.ownerOf(token("x"), 0)?.node, "a");
  assert.deepEqual(cpuOf(directory), [200, 0]);
  directory.apply(report("a", 3n, { deactivated: [token("x")] }));
  assert.equal(directory.ownerOf(token("x"), 0), undefined);
  assert.deepEqual(cpuOf(directory), [100, 0]);
});

test("a placement that no report confirms is forgotten after 10 s", () => {
  const directory = directoryOf("a");
  reserve(directory, "x", 1000);
  assert.deepEqual(directory.ownerOf(token("x"), 1000 + tentativeMs - 1)?.isConfirmed, false);
  assert.equal(directory.ownerOf(token("x"), 1000 + tentativeMs), undefined);
  directory.expire(1000 + tentativeMs);
  assert.deepEqual(cpuOf(directory), [0]);
});

test("a report confirms a placement, which then stays and is counted once", () => {
  const directory = directoryOf("a");
  reserve(directory, "x", 0);
  directory.apply(report("a", 2n, { activated: [on("x", 7n)] }));
  directory.expire(1_000_000);
  assert.equal(directory.ownerOf(token("x"), 1_000_000)?.epoch, 7n);
  assert.deepEqual(cpuOf(directory), [100]);
});

test("a lost report asks for a full one, and nothing is applied before it", () => {
  const directory = directoryOf("a");
  directory.apply(report("a", 2n, { activated: [on("x")] }));
  assert.equal(directory.apply(report("a", 4n, { activated: [on("z")] })), "gap");
  assert.deepEqual(directory.unsynced(), ["a"]);
  assert.equal(directory.apply(report("a", 5n)), "gap");
  assert.equal(directory.ownerOf(token("z"), 0), undefined);
  directory.apply(report("a", 6n, { full: true, activated: [on("y")] }));
  assert.deepEqual(directory.unsynced(), []);
  assert.equal(directory.ownerOf(token("x"), 0), undefined);
  assert.equal(directory.ownerOf(token("y"), 0)?.node, "a");
  assert.deepEqual(cpuOf(directory), [100]);
});

test("of a node that has just joined only a full report counts", () => {
  const directory = new Directory({ resourcesOf: () => cpu100 });
  directory.join(node("a"));
  assert.equal(directory.apply(report("a", 1n, { activated: [on("x")] })), "gap");
  assert.equal(directory.apply(report("a", 2n, { full: true, activated: [on("x")] })), "applied");
});

test("a heartbeat shows that the last report was lost", () => {
  const directory = directoryOf("a");
  directory.hear(create(HeartbeatSchema, { node: "a", incarnation: "1", reportSequence: 1n }));
  assert.deepEqual(directory.unsynced(), []);
  directory.hear(create(HeartbeatSchema, { node: "a", incarnation: "1", reportSequence: 2n }));
  assert.deepEqual(directory.unsynced(), ["a"]);
});

test("a repeated report, or one of another life, changes nothing", () => {
  const directory = directoryOf("a");
  assert.equal(directory.apply(report("a", 1n, { activated: [on("x")] })), "known");
  assert.equal(directory.apply({ ...report("a", 2n, { activated: [on("x")] }), incarnation: "0" }), "gap");
  assert.equal(directory.size, 0);
});

test("the higher epoch wins, in whatever order the reports come", () => {
  const directory = directoryOf("a", "b");
  directory.apply(report("b", 2n, { activated: [on("x", 5n)] }));
  directory.apply(report("a", 2n, { activated: [on("x", 4n)] }));
  directory.apply(report("a", 3n, { deactivated: [token("x")] }));
  assert.equal(directory.ownerOf(token("x"), 0)?.node, "b");
  directory.apply(report("a", 4n, { activated: [on("x", 6n)] }));
  assert.equal(directory.ownerOf(token("x"), 0)?.node, "a");
  assert.deepEqual(cpuOf(directory), [100, 0]);
});

test("a full report keeps placements that are still on their way", () => {
  const directory = directoryOf("a");
  reserve(directory, "x", 0);
  directory.apply(report("a", 2n, { full: true, activated: [on("y")] }));
  assert.equal(directory.ownerOf(token("x"), 1)?.node, "a");
});

test("a lost node takes its sessions with it; one that returns keeps them", () => {
  const directory = directoryOf("a", "b");
  directory.apply(report("a", 2n, { activated: [on("x")] }));
  directory.apply(report("b", 2n, { activated: [on("y")] }));
  directory.rejoin(node("a", "2"));
  directory.drop("b");
  assert.equal(directory.ownerOf(token("x"), 0)?.node, "a");
  assert.equal(directory.ownerOf(token("y"), 0), undefined);
  directory.join(node("a", "3"));
  assert.equal(directory.size, 0);
});

test("beyond its bound the directory remembers no more", () => {
  const directory = directoryOf("a");
  directory.apply(report("a", 2n, { activated: Array.from({ length: 150 }, (_, i) => on(`k${i}`)) }));
  assert.equal(directory.size, 100);
});

test("a node takes all that it has, even beyond what the books allow", () => {
  const directory = directoryOf("a");
  directory.apply(report("a", 2n, { activated: Array.from({ length: 20 }, (_, i) => on(`k${i}`)) }));
  assert.deepEqual(cpuOf(directory), [2000]);
  const refused = place(directory.snapshot(), { session: token("x"), namespace: "default", resources: cpu100 });
  assert.equal(refused.kind, "refusal");
});
