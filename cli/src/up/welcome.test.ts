import assert from "node:assert/strict";
import { test } from "node:test";
import { agent, s } from "voda";
import { definitionOf } from "voda/definition";
import type { ReadyFile } from "./ready-file.ts";
import { welcome } from "./welcome.ts";

const mesh: ReadyFile = {
  ingress: "http://127.0.0.1:4000",
  api: "http://127.0.0.1:4000",
  nats: { url: "nats://127.0.0.1:1", pid: 1 },
  envoy: { admin: "/run/admin", pid: 2 },
  controlplanes: [{ pid: 3 }],
  nodes: [{ id: "n1", pid: 4, ingress: "127.0.0.1:2" }],
};

test("what clients cannot call is marked, and not proposed", () => {
  const vault = agent("vault", { value: s.register(0) })
    .handler("secret", { access: "internal" }, () => 1)
    .handlers({ open: (_ctx, by: number) => by })
    .readonly({ look: () => 2 });
  const lines = welcome({ mesh, agents: [definitionOf(vault)], logs: "/tmp", isHere: true, took: "1 s" });
  const said = lines.join("\n");
  assert.match(said, /logs +\/tmp$/m, "a path that lies elsewhere is told whole");
  assert.match(said, /vault +open +look \(readonly\) +secret \(internal\)$/m);
  assert.match(said, /voda call vault\/alice look\n +curl --json INPUT \S+\/agents\/vault\/alice\/open/);
  assert.doesNotMatch(said, /alice\/secret/);
});

test("what every agent with workflows has comes after its own, and what voda says to itself is not told", () => {
  const shop = agent("shop")
    .workflows({ sell: async () => null })
    .handlers({ buy: () => 1 })
    .readonly({ stock: () => 2 });
  const lines = welcome({ mesh, agents: [definitionOf(shop)], logs: "/tmp", isHere: true, took: "1 s" });
  const said = lines.join("\n");
  const ofWorkflows =
    "workflowStatus (readonly)  startWorkflow (internal)  signalWorkflow (internal)  cancelWorkflow (internal)";
  assert.ok(said.includes(`  shop      buy  stock (readonly)  ${ofWorkflows}\n`), said);
  assert.match(said, /voda call shop\/alice stock\n/);
});

test("of an agent with many methods the first are named, and the others counted", () => {
  const methods = Object.fromEntries(Array.from({ length: 59 }, (_, i) => [`m${i}`, () => i]));
  const big = definitionOf(agent("big", {}).handlers(methods));
  const lines = welcome({ mesh, agents: [big], logs: "/tmp", isHere: true, took: "1 s" });
  assert.deepEqual(
    lines.filter((line) => line.startsWith("  big")),
    ["  big       m0  m1  m2  m3  m4  m5  m6  m7  and 51 more"],
  );
});
