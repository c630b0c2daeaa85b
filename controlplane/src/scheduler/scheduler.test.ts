import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AgentSchema } from "@voda/proto/api";
import { ReportSchema } from "@voda/proto/node";
import { sessionToken } from "@voda/proto/session";
import { Agents } from "../agents/agents.ts";
import { Directory } from "../directory/directory.ts";
import type { Plan, Refusal } from "../placement/index.ts";
import { Scheduler } from "./scheduler.ts";

const name = (agent: string, key: string) => ({ namespace: "default", agent, key });

function open(nodes: readonly string[]) {
  const agents = new Agents();
  const deploy = (agent: string, resources: object): void =>
    agents.set(create(AgentSchema, { namespace: "default", name: agent, revision: "0", resources }));
  deploy("half", { gpuMilli: 500 });
  deploy("pair", { gpuMilli: 2000 });
  deploy("heavy", { cpuMilli: 900 });
  deploy("plain", {});
  const directory = new Directory({ resourcesOf: (namespace, agent) => agents.resourcesOf(namespace, agent) });
  for (const id of nodes) {
    const gpus = ["0", "1"].map((at) => ({ uuid: `${id}-${at}`, model: "X", memoryMib: 1000 }));
    directory.join({ id, incarnation: "1", ingress: "127.0.0.1:1", cpuMilli: 1000, memoryMib: 1024, diskMib: 0, gpus, zone: "" });
    directory.apply(create(ReportSchema, { node: id, incarnation: "1", sequence: 1n, full: true }));
  }
  const scheduler = new Scheduler({ agents, directory, clock: { wallMs: () => 5, monotonicMs: () => 0 } });
  const ask = (agent: string, key: string): Plan | Refusal => scheduler.place(name(agent, key));
  const decision = (agent: string, key: string) => scheduler.decisionOf(sessionToken(name(agent, key)));
  return { scheduler, directory, ask, decision };
}
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const devices = (outcome: Plan | Refusal): string[] =>
  outcome.kind === "plan" ? outcome.allocation.devices.map(({ uuid }) => uuid) : [];

test("sessions with GPUs are placed by bid-price fit, which keeps whole devices whole; others by best fit", async () => {
  const { scheduler, ask, decision } = open(["a", "b"]);
  using _owned = scheduler;
  await settle();
  const first = devices(ask("half", "1"));
  assert.deepEqual(devices(ask("half", "2")), first);
  assert.equal(devices(ask("pair", "1")).length, 2);
  assert.equal(ask("plain", "1").kind, "plan");
  assert.deepEqual([decision("half", "1")?.policy, decision("plain", "1")?.policy], ["bpf", "bestFit"]);
  const { candidates } = decision("half", "2") ?? {};
  assert.equal(candidates?.length, 2);
  assert.ok((candidates[0]?.score[0] ?? 0) <= (candidates[1]?.score[0] ?? 0));
});

test("before the pool is made anew best fit decides", () => {
  const { scheduler, ask, decision } = open(["a"]);
  using _owned = scheduler;
  assert.equal(ask("half", "1").kind, "plan");
  assert.equal(decision("half", "1")?.policy, "bestFit");
});

test("a node that has more than the books allow gets nothing more, whatever the pool thinks", async () => {
  const { scheduler, directory, ask } = open(["a"]);
  using _owned = scheduler;
  await settle();
  const activated = ["1", "2"].map((key) => ({ ...name("heavy", key), epoch: 1n }));
  directory.apply(create(ReportSchema, { node: "a", incarnation: "1", sequence: 2n, activated }));
  assert.equal(directory.booksOf("a")?.allocated.cpuMilli, 1800);
  assert.equal(ask("heavy", "3").kind, "refusal");
  assert.equal(ask("half", "1").kind, "plan");
});

test("decisions and refusals are counted by what the nearest node lacked", async () => {
  const { scheduler, directory, ask } = open(["a"]);
  using _owned = scheduler;
  await settle();
  ask("pair", "1");
  ask("pair", "2");
  ask("heavy", "1");
  ask("heavy", "2");
  directory.drop("a");
  ask("plain", "1");
  const { decisions, refusals } = scheduler.counters();
  assert.equal(decisions, 5);
  assert.deepEqual(Object.fromEntries(refusals), { gpu_count: 1, cpu: 1, no_node: 1 });
});
