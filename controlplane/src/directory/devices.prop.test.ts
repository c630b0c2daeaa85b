import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ReportSchema } from "@voda/proto/node";
import { type SessionToken, sessionToken } from "@voda/proto/session";
import * as fc from "fast-check";
import { type DeviceShare, place, type Resources } from "../placement/index.ts";
import { Directory, type DirectoryNode, tentativeMs } from "./directory.ts";

const sizes: Record<string, Resources["gpu"]> = {
  half: { kind: "fraction", milli: 500, memoryMib: 0 },
  tenth: { kind: "fraction", milli: 100, memoryMib: 10 },
  whole: { kind: "whole", count: 1, memoryMib: 0 },
};
const cardMib = 1000;
const nodeOf = (id: string): DirectoryNode => ({
  id,
  incarnation: "1",
  ingress: "127.0.0.1:1",
  cpuMilli: 500,
  memoryMib: 8192,
  diskMib: 0,
  zone: "",
  gpus: ["g0", "g1"].map((gpu) => ({ uuid: `${id}-${gpu}`, model: "X", memoryMib: cardMib })),
});
const ids = ["a", "b"];

const share = fc.record({
  uuid: fc.constantFrom("a-g0", "a-g1", "b-g0", "b-g1", "nowhere"),
  whole: fc.boolean(),
  milli: fc.integer({ min: 0, max: 1200 }),
  memoryMib: fc.integer({ min: 0, max: 1200 }),
});
const agent = fc.constantFrom(...Object.keys(sizes));
const key = fc.integer({ min: 0, max: 6 }).map(String);
const activation = fc.record({ agent, key, epoch: fc.bigInt({ min: 1n, max: 4n }), devices: fc.array(share, { maxLength: 3 }) });
const step = fc.oneof(
  fc.record({ kind: fc.constant("place" as const), agent, key }),
  fc.record({
    kind: fc.constant("report" as const),
    node: fc.constantFrom(...ids),
    full: fc.boolean(),
    activated: fc.array(activation, { maxLength: 4 }),
    deactivated: fc.array(fc.record({ agent, key }), { maxLength: 2 }),
  }),
  fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(1, tentativeMs) }),
  fc.record({ kind: fc.constant("rejoin" as const), node: fc.constantFrom(...ids) }),
);

test("whatever nodes report, the books are the sum of the sessions and exceed no device", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const directory = new Directory({
        resourcesOf: (_, name) => ({ cpuMilli: 10, memoryMib: 1, gpu: sizes[name] ?? { kind: "none" } }),
      });
      const sequences = new Map<string, bigint>();
      const tokens = new Set<SessionToken>();
      let nowMs = 0;
      const tokenOf = (of: { agent: string; key: string }): SessionToken => {
        const token = sessionToken({ namespace: "default", ...of });
        tokens.add(token);
        return token;
      };
      for (const id of ids) directory.join(nodeOf(id));
      for (const one of steps) {
        if (one.kind === "pass") {
          nowMs += one.ms;
          directory.expire(nowMs);
        } else if (one.kind === "rejoin") {
          directory.join(nodeOf(one.node));
          sequences.delete(one.node);
        } else if (one.kind === "place") {
          const resources = { cpuMilli: 10, memoryMib: 1, gpu: sizes[one.agent] ?? { kind: "none" as const } };
          const session = tokenOf(one);
          if (directory.ownerOf(session, nowMs) !== undefined) continue;
          const plan = place(directory.snapshot(), { session, namespace: "default", resources });
          if (plan.kind === "plan") directory.reserve(session, plan, nowMs);
        } else {
          const sequence = (sequences.get(one.node) ?? 0n) + 1n;
          sequences.set(one.node, sequence);
          const activated = one.activated.map((each) => ({ namespace: "default", ...each }));
          activated.forEach(tokenOf);
          const deactivated = one.deactivated.map(tokenOf);
          directory.apply(
            create(ReportSchema, { node: one.node, incarnation: "1", sequence, full: one.full, activated, deactivated }),
          );
        }
        check(directory, tokens);
      }
    }),
  );
});

function check(directory: Directory, tokens: ReadonlySet<SessionToken>): void {
  const owners = [...tokens].flatMap((token) => directory.ownerOf(token, Number.NEGATIVE_INFINITY) ?? []);
  for (const { node, books } of directory.nodes()) {
    const here = owners.filter((owner) => owner.node === node.id).map((owner) => owner.allocation);
    assert.equal(books.sessions, here.length);
    assert.equal(
      books.allocated.cpuMilli,
      here.reduce((sum, one) => sum + one.cpuMilli, 0),
    );
    for (const { device, state } of books.gpus) {
      const shares = here.flatMap((one) => one.devices).filter(({ uuid }) => uuid === device.uuid);
      const sum = (of: (one: DeviceShare) => number): number => shares.reduce((total, one) => total + of(one), 0);
      if (state.mode === "idle") assert.equal(shares.length, 0);
      if (state.mode === "whole") assert.deepEqual([shares.length, shares[0]?.whole], [1, true]);
      if (state.mode !== "shared") continue;
      assert.ok(shares.every((one) => !one.whole));
      assert.deepEqual(
        [state.milli, state.memoryMib, state.sessions],
        [sum((one) => one.milli), sum((one) => one.memoryMib), shares.length],
      );
      assert.ok(state.milli <= 1000 && state.memoryMib <= cardMib);
    }
  }
}
