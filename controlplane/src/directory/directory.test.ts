import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { HeartbeatSchema, ReportSchema } from "@voda/proto/node";
import { sessionToken } from "@voda/proto/session";
import { patchedVariant } from "@voda/test/patch";
import { Pool, type PoolRequest } from "../placement/index.ts";
import type * as product from "./directory.ts";
import { type DirectoryNode, tentativeMs } from "./directory.ts";
import { refusedMs } from "./refusals.ts";

type Directory = product.Directory;
/** One that a test can fill. */
const small = patchedVariant(new URL("./directory.ts", import.meta.url), "a small directory", [
  {
    file: "controlplane/src/directory/directory.ts",
    find: "directorySessionsMax = 1_000_000",
    replace: "directorySessionsMax = 100",
  },
]);
const { Directory }: typeof product = await import(small);

const cpu100 = (name: {
  readonly namespace: string;
  readonly agent: string;
  readonly key: string;
}): PoolRequest => ({
  session: sessionToken(name),
  namespace: name.namespace,
  resources: { cpuMilli: 100, memoryMib: 64, gpu: { type: "none" } },
});
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

interface Rig {
  readonly directory: Directory;
  readonly pool: Pool;
}

function directoryOf(...ids: string[]): Rig {
  const pool = new Pool({});
  const directory = new Directory({ pool, requestOf: cpu100 });
  for (const id of ids) {
    directory.join(node(id));
    directory.apply(report(id, 1n, { full: true }), 0);
  }
  return { directory, pool };
}

function reserve({ directory, pool }: Rig, key: string, nowMs: number): string {
  const plan = pool.decide(cpu100(name(key)));
  assert.equal(plan.type, "plan");
  directory.reserve(token(key), plan, nowMs);
  return plan.nodeId;
}
function ownerIn(directory: Directory, key: string, nowMs: number): string | undefined {
  const known = directory.find(token(key), nowMs);
  return known.type === "owner" ? known.node.id : undefined;
}
function warmIn(directory: Directory, key: string): string | undefined {
  const known = directory.find(token(key), 0);
  return known.type === "nobody" ? known.warmNode : undefined;
}
const cpuOf = (directory: Directory) => directory.nodes().map(({ id }) => directory.useOf(id)?.cpuMilli);

test("reports say where sessions are and what they take", () => {
  const { directory } = directoryOf("a", "b");
  assert.equal(directory.apply(report("a", 2n, { activated: [on("x"), on("y")] }), 0), "applied");
  assert.equal(directory.ownerOf(token("x"), 0)?.node, "a");
  assert.deepEqual(cpuOf(directory), [200, 0]);
  directory.apply(report("a", 3n, { deactivated: [token("x")] }), 0);
  assert.equal(directory.ownerOf(token("x"), 0), undefined);
  assert.deepEqual(cpuOf(directory), [100, 0]);
});

test("a node whose lease has ended owns nothing: its sessions leave the books when they are decided anew", () => {
  const { directory } = directoryOf("a", "b");
  directory.apply(report("a", 2n, { activated: [on("x"), on("y")] }), 0);
  directory.setLapsed("a", true);
  assert.equal(directory.ownerOf(token("x"), 0), undefined);
  assert.equal(ownerIn(directory, "x", 0), undefined);
  assert.deepEqual(cpuOf(directory), [100, 0]);
  directory.setLapsed("a", false);
  assert.equal(directory.ownerOf(token("y"), 0)?.node, "a");
  assert.equal(directory.ownerOf(token("x"), 0), undefined);
});

test("a placement that no report confirms is forgotten when its grant can do nothing more", () => {
  const { directory, pool } = directoryOf("a");
  reserve({ directory, pool }, "x", 1000);
  assert.deepEqual(directory.ownerOf(token("x"), 1000 + tentativeMs - 1)?.isConfirmed, false);
  assert.equal(directory.ownerOf(token("x"), 1000 + tentativeMs), undefined);
  directory.expire(1000 + tentativeMs);
  assert.deepEqual(cpuOf(directory), [0]);
});

test("a report confirms a placement, which then stays and is counted once", () => {
  const { directory, pool } = directoryOf("a");
  reserve({ directory, pool }, "x", 0);
  directory.apply(report("a", 2n, { activated: [on("x", 7n)] }), 0);
  directory.expire(1_000_000);
  assert.equal(directory.ownerOf(token("x"), 1_000_000)?.epoch, 7n);
  assert.deepEqual(cpuOf(directory), [100]);
});

test("what a node answers to a command is known before its report, unless another claim is reported", () => {
  const { directory, pool } = directoryOf("a", "b");
  const reserved = reserve({ directory, pool }, "x", 0);
  const told = (isAwake: boolean, epoch: bigint): unknown => {
    directory.told(token("x"), { node: reserved, epoch, isAwake });
    const owner = directory.ownerOf(token("x"), 0);
    return owner?.isConfirmed === true ? owner.epoch : undefined;
  };
  assert.equal(told(true, 0n), undefined, "asleep again before it was told");
  assert.equal(told(true, 7n), 7n);
  assert.equal(told(false, 6n), 7n, "another claim is awake");
  directory.apply(report(reserved, 2n, { activated: [on("x", 7n)] }), 0);
  assert.deepEqual([told(false, 7n), told(true, 7n)], [undefined, undefined]);
  assert.deepEqual([warmIn(directory, "x"), cpuOf(directory)], [reserved, [0, 0]]);
  assert.equal(directory.apply(report(reserved, 3n, { deactivated: [token("x")] }), 0), "applied");
});

test("a lost report asks for a full one, and nothing is applied before it", () => {
  const { directory } = directoryOf("a");
  directory.apply(report("a", 2n, { activated: [on("x")] }), 0);
  assert.equal(directory.apply(report("a", 4n, { activated: [on("z")] }), 0), "gap");
  assert.deepEqual(directory.unsynced(), ["a"]);
  assert.equal(directory.apply(report("a", 5n), 0), "gap");
  assert.equal(directory.ownerOf(token("z"), 0), undefined);
  directory.apply(report("a", 6n, { full: true, activated: [on("y")] }), 0);
  assert.deepEqual(directory.unsynced(), []);
  assert.equal(directory.ownerOf(token("x"), 0), undefined);
  assert.equal(directory.ownerOf(token("y"), 0)?.node, "a");
  assert.deepEqual(cpuOf(directory), [100]);
});

test("of a node that has just joined only a full report counts", () => {
  const directory = new Directory({ pool: new Pool({}), requestOf: cpu100 });
  directory.join(node("a"));
  assert.equal(directory.apply(report("a", 1n, { activated: [on("x")] }), 0), "gap");
  assert.equal(directory.apply(report("a", 2n, { full: true, activated: [on("x")] }), 0), "applied");
});

test("a heartbeat shows that the last report was lost", () => {
  const { directory } = directoryOf("a");
  directory.hear(create(HeartbeatSchema, { node: "a", incarnation: "1", reportSequence: 1n }));
  assert.deepEqual(directory.unsynced(), []);
  directory.hear(create(HeartbeatSchema, { node: "a", incarnation: "1", reportSequence: 2n }));
  assert.deepEqual(directory.unsynced(), ["a"]);
});

test("a repeated report, or one of another life, changes nothing", () => {
  const { directory } = directoryOf("a");
  assert.equal(directory.apply(report("a", 1n, { activated: [on("x")] }), 0), "known");
  assert.equal(directory.apply({ ...report("a", 2n, { activated: [on("x")] }), incarnation: "0" }, 0), "gap");
  assert.equal(directory.size, 0);
});

test("the higher epoch wins, in whatever order the reports come", () => {
  const { directory } = directoryOf("a", "b");
  directory.apply(report("b", 2n, { activated: [on("x", 5n)] }), 0);
  directory.apply(report("a", 2n, { activated: [on("x", 4n)] }), 0);
  directory.apply(report("a", 3n, { deactivated: [token("x")] }), 0);
  assert.equal(directory.ownerOf(token("x"), 0)?.node, "b");
  directory.apply(report("a", 4n, { activated: [on("x", 6n)] }), 0);
  assert.equal(directory.ownerOf(token("x"), 0)?.node, "a");
  assert.deepEqual(cpuOf(directory), [100, 0]);
});

test("a full report keeps placements that are still on their way", () => {
  const { directory, pool } = directoryOf("a");
  reserve({ directory, pool }, "x", 0);
  directory.apply(report("a", 2n, { full: true, activated: [on("y")] }), 0);
  assert.equal(directory.ownerOf(token("x"), 1)?.node, "a");
});

test("a lost node takes its sessions with it; one that returns keeps them", () => {
  const { directory } = directoryOf("a", "b");
  directory.apply(report("a", 2n, { activated: [on("x")] }), 0);
  directory.apply(report("b", 2n, { activated: [on("y")] }), 0);
  directory.rejoin(node("a", "2"));
  directory.drop("b");
  assert.equal(directory.ownerOf(token("x"), 0)?.node, "a");
  assert.equal(directory.ownerOf(token("y"), 0), undefined);
  directory.join(node("a", "3"));
  assert.equal(directory.size, 0);
});

test("beyond its bound the directory remembers no more", () => {
  const { directory } = directoryOf("a");
  directory.apply(report("a", 2n, { activated: Array.from({ length: 150 }, (_, i) => on(`k${i}`)) }), 0);
  assert.equal(directory.size, 100);
});

test("a node may hold more than it has; the books are full then and not beyond", () => {
  const { directory, pool } = directoryOf("a");
  directory.apply(report("a", 2n, { activated: Array.from({ length: 20 }, (_, i) => on(`k${i}`)) }), 0);
  assert.deepEqual([cpuOf(directory), directory.useOf("a")?.sessions], [[1000], 20]);
  assert.equal(pool.decide(cpu100(name("x"))).type, "refusal");
  directory.apply(report("a", 3n, { deactivated: Array.from({ length: 20 }, (_, i) => token(`k${i}`)) }), 0);
  assert.deepEqual(cpuOf(directory), [0]);
});

test("a new grant keeps the room of its placement for as long as it may be used", () => {
  const { directory, pool } = directoryOf("a");
  reserve({ directory, pool }, "x", 0);
  assert.equal(ownerIn(directory, "x", tentativeMs - 1), "a");
  directory.expire(tentativeMs);
  assert.equal(directory.ownerOf(token("x"), 2 * tentativeMs - 2)?.node, "a");
  assert.deepEqual(cpuOf(directory), [100]);
  assert.equal(ownerIn(directory, "x", 2 * tentativeMs - 1), undefined);
  assert.deepEqual(cpuOf(directory), [0]);
});

test("a placement on a node that gets no sessions any more is given up, a confirmed session is not", () => {
  const { directory, pool } = directoryOf("a");
  reserve({ directory, pool }, "x", 0);
  directory.apply(report("a", 2n, { activated: [on("y")] }), 0);
  directory.setReady("a", false);
  assert.equal(ownerIn(directory, "x", 1), undefined);
  assert.equal(ownerIn(directory, "y", 1), "a");
});

test("what a node refuses is decided anew, and its room there is nobody's for a moment", () => {
  const { directory, pool } = directoryOf("a", "b");
  const reserved = reserve({ directory, pool }, "x", 0);
  directory.apply(report(reserved, 2n, { deactivated: [token("x")] }), 0);
  assert.equal(directory.ownerOf(token("x"), 1), undefined);
  assert.equal(directory.useOf(reserved)?.cpuMilli, 100);
  directory.expire(refusedMs);
  assert.deepEqual(cpuOf(directory), [0, 0]);
});

test("the node where a session fell asleep is remembered until it wakes", () => {
  const { directory } = directoryOf("a", "b");
  directory.apply(report("b", 2n, { activated: [on("x"), on("y")] }), 0);
  assert.equal(warmIn(directory, "x"), undefined);
  directory.apply(report("b", 3n, { deactivated: [token("x")] }), 0);
  directory.apply(report("b", 4n, { full: true }), 0);
  assert.deepEqual([warmIn(directory, "x"), warmIn(directory, "y")], ["b", "b"]);
  directory.apply(report("a", 2n, { activated: [on("x", 2n)] }), 0);
  assert.equal(warmIn(directory, "x"), undefined);
});

test("a node that the pool cannot hold is refused by its name, and keeps nobody else out", () => {
  const { directory } = directoryOf("a");
  const gpus = Array.from({ length: 17 }, (_, i) => ({ uuid: `g${i}`, model: "X", memoryMib: 1 }));
  assert.throws(() => directory.join({ ...node("b"), gpus }), /node b: 17 GPUs exceed gpusPerNodeMax 16/);
  assert.deepEqual(
    directory.nodes().map(({ id }) => id),
    ["a"],
  );
  directory.join(node("b"));
  assert.deepEqual(
    directory.nodes().map(({ id }) => id),
    ["a", "b"],
  );
});
