import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ReportSchema } from "@voda/proto/node";
import { sessionToken } from "@voda/proto/session";
import { type DeviceShare, place, type Resources } from "../placement/index.ts";
import { Directory, type DirectoryNode } from "./directory.ts";

const half: Resources = { cpuMilli: 100, memoryMib: 64, gpu: { kind: "fraction", milli: 500, memoryMib: 1000 } };
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
const name = (key: string) => ({ namespace: "default", agent: "model", key });
const token = (key: string) => sessionToken(name(key));
const share = (uuid: string, milli = 500): DeviceShare => ({ uuid, whole: false, milli, memoryMib: 1000 });
const whole = (uuid: string): DeviceShare => ({ uuid, whole: true, milli: 1000, memoryMib: 80_000 });
const on = (key: string, ...devices: DeviceShare[]) => ({ ...name(key), epoch: 1n, devices });

function open(): { directory: Directory; report: (more: MessageInitShape<typeof ReportSchema>) => void } {
  const directory = new Directory({ resourcesOf: () => half });
  let sequence = 0n;
  const report = (more: MessageInitShape<typeof ReportSchema>): void => {
    sequence += 1n;
    assert.equal(directory.apply(create(ReportSchema, { node: "a", incarnation: "1", sequence, ...more })), "applied");
  };
  directory.join(node);
  report({ full: true });
  return { directory, report };
}
const states = (directory: Directory) => directory.nodes()[0]?.books.gpus.map(({ state }) => state);
const shared = (sessions: number) => ({ mode: "shared", milli: 500 * sessions, memoryMib: 1000 * sessions, sessions });

test("a control plane that starts has the devices on its books that the node says its sessions hold", () => {
  const { directory, report } = open();
  report({ full: true, activated: [on("x", share("g1")), on("y", share("g1"))] });
  assert.deepEqual(states(directory), [{ mode: "idle" }, shared(2)]);
  assert.deepEqual(directory.ownerOf(token("x"), 0)?.allocation.devices[0]?.uuid, "g1");
});

test("what the node reports replaces what the placement meant", () => {
  const { directory, report } = open();
  const plan = place(directory.snapshot(), { session: token("x"), namespace: "default", resources: half });
  assert.equal(plan.kind, "plan");
  assert.equal(plan.allocation.devices[0]?.uuid, "g0");
  directory.reserve(token("x"), plan, 0);
  report({ activated: [on("x", share("g1"))] });
  assert.deepEqual(states(directory), [{ mode: "idle" }, shared(1)]);
});

test("sessions of one report may have changed devices among each other", () => {
  const { directory, report } = open();
  report({ activated: [on("x", whole("g0")), on("y", whole("g1"))] });
  report({ activated: [on("x", whole("g1")), on("y", whole("g0"))] });
  assert.deepEqual(
    [token("x"), token("y")].map((one) => directory.ownerOf(one, 0)?.allocation.devices[0]?.uuid),
    ["g1", "g0"],
  );
  report({ deactivated: [token("x")], activated: [on("z", share("g1"))] });
  assert.deepEqual(states(directory), [{ mode: "whole" }, shared(1)]);
});

test("a placement that nobody confirmed gives way to what the node says, and is decided anew", () => {
  const { directory, report } = open();
  const plan = place(directory.snapshot(), { session: token("x"), namespace: "default", resources: half });
  assert.equal(plan.kind, "plan");
  directory.reserve(token("x"), plan, 0);
  report({ activated: [on("y", whole("g0"))] });
  assert.equal(directory.ownerOf(token("x"), 1), undefined);
  assert.deepEqual(states(directory), [{ mode: "whole" }, { mode: "idle" }]);
});

test("a device that the node does not have, or that is taken, is not put on the books", () => {
  const { directory, report } = open();
  report({ activated: [on("x", share("g9"), share("g0", 1001)), on("y", whole("g1")), on("z", share("g1"))] });
  assert.deepEqual(states(directory), [{ mode: "idle" }, { mode: "whole" }]);
  assert.equal(directory.ownerOf(token("z"), 0)?.node, "a");
});
