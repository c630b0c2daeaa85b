import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ReportSchema } from "@voda/proto/node";
import { sessionToken } from "@voda/proto/session";
import { type DeviceShare, Pool, type PoolRequest } from "../placement/index.ts";
import { Directory, type DirectoryNode } from "./directory.ts";

type Name = Parameters<typeof sessionToken>[0];
const half = (name: Name): PoolRequest => ({
  session: sessionToken(name),
  namespace: name.namespace,
  resources: { cpuMilli: 100, memoryMib: 64, gpu: { type: "fraction", milli: 500, memoryMib: 1000 } },
  isolation: "process",
});
const node: DirectoryNode = {
  id: "a",
  incarnation: "1",
  ingress: "127.0.0.1:1",
  cpuMilli: 10_000,
  memoryMib: 8192,
  diskMib: 0,
  zone: "",
  gpus: ["g0", "g1"].map((uuid) => ({ uuid, model: "X", memoryMib: 80_000 })),
};
const name = (key: string, namespace = "default"): Name => ({ namespace, agent: "model", key });
const token = (key: string) => sessionToken(name(key));
const share = (uuid: string, milli = 500): DeviceShare => ({ uuid, whole: false, milli, memoryMib: 1000 });
const whole = (uuid: string): DeviceShare => ({ uuid, whole: true, milli: 1000, memoryMib: 80_000 });
const on = (key: string, ...devices: DeviceShare[]) => ({ ...name(key), epoch: 1n, devices });

interface Rig {
  readonly directory: Directory;
  readonly pool: Pool;
}

function open(): Rig & { report: (more: MessageInitShape<typeof ReportSchema>) => void } {
  const pool = new Pool({});
  const directory = new Directory({ pool, requestOf: half });
  let sequence = 0n;
  const report = (more: MessageInitShape<typeof ReportSchema>): void => {
    sequence += 1n;
    assert.equal(
      directory.apply(create(ReportSchema, { node: "a", incarnation: "1", sequence, ...more }), 0),
      "applied",
    );
  };
  directory.join(node);
  report({ full: true });
  return { directory, pool, report };
}
/** Thousandths, MiB and sessions of each device. */
const states = (directory: Directory) =>
  directory.useOf("a")?.devices.map((one) => [one.allocatedMilli, one.allocatedMemoryMib, one.sessions]);
const idle = [0, 0, 0];
const full = [1000, 80_000, 1];
const shared = (sessions: number) => [500 * sessions, 1000 * sessions, sessions];
function place({ directory, pool }: Rig, key: string): readonly DeviceShare[] {
  const plan = pool.decide(half(name(key)));
  assert.equal(plan.type, "plan");
  directory.reserve(token(key), plan, 0);
  return pool.devicesOf(plan);
}

test("a control plane that starts has the devices on its books that the node says its sessions hold", () => {
  const { directory, report } = open();
  report({ full: true, activated: [on("x", share("g1")), on("y", share("g1"))] });
  assert.deepEqual(states(directory), [idle, shared(2)]);
  assert.deepEqual(directory.ownerOf(token("x"), 0)?.devices[0]?.uuid, "g1");
});

test("what the node reports replaces what the placement meant", () => {
  const { directory, pool, report } = open();
  assert.equal(place({ directory, pool }, "x")[0]?.uuid, "g0");
  report({ activated: [on("x", share("g1"))] });
  assert.deepEqual(states(directory), [idle, shared(1)]);
});

test("sessions of one report may have changed devices among each other", () => {
  const { directory, report } = open();
  report({ activated: [on("x", whole("g0")), on("y", whole("g1"))] });
  report({ activated: [on("x", whole("g1")), on("y", whole("g0"))] });
  assert.deepEqual(
    [token("x"), token("y")].map((one) => directory.ownerOf(one, 0)?.devices[0]?.uuid),
    ["g1", "g0"],
  );
  report({ deactivated: [token("x")], activated: [on("z", share("g1"))] });
  assert.deepEqual(states(directory), [full, shared(1)]);
});

test("a placement that nobody confirmed gives way to what the node says, and is decided anew", () => {
  const { directory, pool, report } = open();
  place({ directory, pool }, "x");
  report({ activated: [on("y", whole("g0"))] });
  assert.equal(directory.ownerOf(token("x"), 1), undefined);
  assert.deepEqual(states(directory), [full, idle]);
});

test("a device that the node does not have, or that is taken, is not put on the books", () => {
  const { directory, report } = open();
  report({
    activated: [on("x", share("g9"), share("g0", 1001)), on("y", whole("g1")), on("z", share("g1"))],
  });
  assert.deepEqual(states(directory), [idle, full]);
  assert.equal(directory.ownerOf(token("z"), 0)?.node, "a");
});

test("only the placement that is in the way gives way", () => {
  const { directory, pool, report } = open();
  report({ activated: [on("there", share("g1"))] });
  assert.equal(place({ directory, pool }, "x")[0]?.uuid, "g1");
  report({ activated: [on("y", whole("g0"))] });
  assert.equal(directory.ownerOf(token("x"), 1)?.node, "a");
  assert.deepEqual(states(directory), [full, shared(2)]);
});

test("sessions of two namespaces are never on the books of one device, whatever a node reports", () => {
  const { directory, report } = open();
  const other = name("other", "blue");
  report({ activated: [on("x", share("g0")), { ...other, epoch: 1n, devices: [share("g0")] }] });
  assert.deepEqual(states(directory), [shared(1), idle]);
  assert.deepEqual(directory.ownerOf(sessionToken(other), 0)?.devices, []);
});

test("all placements that are in the way of a whole device give way", () => {
  const { directory, pool, report } = open();
  assert.deepEqual(
    [place({ directory, pool }, "x")[0]?.uuid, place({ directory, pool }, "y")[0]?.uuid],
    ["g0", "g0"],
  );
  report({ activated: [on("z", whole("g0"))] });
  assert.deepEqual([directory.size, states(directory)], [1, [full, idle]]);
});

test("a session keeps what it was placed with when its agent asks for something else meanwhile", () => {
  let cpuMilli = 100;
  const requestOf = (of: Name): PoolRequest => {
    const { resources, ...rest } = half(of);
    return { ...rest, resources: { ...resources, cpuMilli } };
  };
  const directory = new Directory({ pool: new Pool({}), requestOf });
  directory.join(node);
  const report = (sequence: bigint, uuid: string): unknown =>
    directory.apply(
      create(ReportSchema, {
        node: "a",
        incarnation: "1",
        sequence,
        full: true,
        activated: [on("x", share(uuid))],
      }),
      0,
    );
  report(1n, "g0");
  cpuMilli = 700;
  report(2n, "g1");
  assert.deepEqual([directory.useOf("a")?.cpuMilli, states(directory)], [100, [idle, shared(1)]]);
});
