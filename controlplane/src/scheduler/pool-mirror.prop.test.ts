import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ReportSchema } from "@voda/proto/node";
import { type SessionToken, sessionToken } from "@voda/proto/session";
import * as fc from "fast-check";
import { Directory, type DirectoryNode } from "../directory/directory.ts";
import { fittingShares } from "../directory/reported-devices.ts";
import { place, type Resources } from "../placement/index.ts";
import { PoolMirror } from "./pool-mirror.ts";

const kinds: readonly Resources[] = [
  { cpuMilli: 100, memoryMib: 0, gpu: { kind: "fraction", milli: 500, memoryMib: 0 } },
  { cpuMilli: 0, memoryMib: 64, gpu: { kind: "fraction", milli: 100, memoryMib: 700 } },
  { cpuMilli: 1500, memoryMib: 0, gpu: { kind: "whole", count: 1, memoryMib: 0 } },
  { cpuMilli: 0, memoryMib: 0, gpu: { kind: "whole", count: 2, memoryMib: 0 } },
  { cpuMilli: 3000, memoryMib: 0, gpu: { kind: "none" } },
  { cpuMilli: 0, memoryMib: 0, gpu: { kind: "none" } },
];
const ids = ["a", "b", "c"];
const nodeOf = (id: string): DirectoryNode => ({
  id,
  incarnation: "1",
  ingress: "127.0.0.1:1",
  cpuMilli: 4000,
  memoryMib: 1024,
  diskMib: 0,
  zone: "",
  gpus: ["g0", "g1"].map((gpu) => ({ uuid: `${id}-${gpu}`, model: "X", memoryMib: 1000 })),
});
const agentOf = (kind: number): string => `kind${kind}`;
const session = fc.record({ kind: fc.nat(kinds.length - 1), key: fc.nat(1).map(String) });
const node = fc.constantFrom(...ids);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ does: fc.constant("place" as const), session }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant("confirm" as const), session }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant("leave" as const), session }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("drop" as const), node }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("join" as const), node }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("ready" as const), node, isReady: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("settle" as const) }) },
);
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("the pool finds room exactly where the directory's books have it, through all that happens to nodes and sessions", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 100 }), async (steps) => {
      const resourcesOf = (_: string, agent: string): Resources => kinds[Number(agent.slice(4))] ?? kinds[0] ?? assert.fail();
      const directory = new Directory({ resourcesOf });
      using mirror = new PoolMirror(directory, () => kinds);
      const sequences = new Map<string, bigint>();
      const report = (id: string, more: object): void => {
        const sequence = (sequences.get(id) ?? 0n) + 1n;
        sequences.set(id, sequence);
        directory.apply(create(ReportSchema, { node: id, incarnation: "1", sequence, ...more }));
      };
      const join = (id: string): void => {
        directory.join(nodeOf(id));
        sequences.set(id, 0n);
        report(id, { full: true });
      };
      for (const id of ids) join(id);
      await settle();
      for (const one of steps) {
        if (one.does === "drop") directory.drop(one.node);
        else if (one.does === "join") join(one.node);
        else if (one.does === "ready") directory.setReady(one.node, one.isReady);
        else if (one.does === "settle") await settle();
        else {
          const name = { namespace: "default", agent: agentOf(one.session.kind), key: one.session.key };
          const token = sessionToken(name);
          const owner = directory.ownerOf(token, 0);
          if (one.does === "place" && owner === undefined) await decide(directory, mirror, token, one.session.kind);
          if (one.does === "confirm" && owner !== undefined)
            report(owner.node, { activated: [{ ...name, epoch: 1n, devices: [...owner.allocation.devices] }] });
          if (one.does === "leave" && owner !== undefined) report(owner.node, { deactivated: [token] });
        }
      }
    }),
    { numRuns: 150 },
  );
});

/** Both ways in are asked; the pool's answer counts where there is one, so that the books go where it leads them. */
async function decide(directory: Directory, mirror: PoolMirror, token: SessionToken, kind: number): Promise<void> {
  await settle();
  const resources = kinds[kind] ?? assert.fail();
  const request = { session: token, namespace: "default", resources };
  const pooled = resources.gpu.kind === "none" ? undefined : mirror.decide(request)?.plan;
  const plan = place(directory.snapshot(), request);
  if (resources.gpu.kind !== "none") assert.equal(pooled !== undefined, plan.kind === "plan");
  if (pooled !== undefined) {
    const books = directory.booksOf(pooled.node) ?? assert.fail();
    assert.equal(place({ nodes: [books] }, request).kind, "plan");
    assert.deepEqual(fittingShares(books, pooled.allocation.devices), pooled.allocation.devices);
    assert.ok(pooled.allocation.devices.length > 0);
    directory.reserve(token, pooled, 0);
    mirror.placed();
  } else if (plan.kind === "plan") {
    directory.reserve(token, plan, 0);
  }
}
