import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { AgentSchema } from "@voda/proto/api";
import { ReportSchema } from "@voda/proto/node";
import { sessionToken } from "@voda/proto/session";
import { Agents } from "../agents/agents.ts";
import { Directory, tentativeMs } from "../directory/directory.ts";
import { describePoolRefusal, Pool, type PoolRefusal, type Quota } from "../placement/index.ts";
import type { Plan } from "./decision.ts";
import { RoomMaker, type Slept } from "./room-maker.ts";
import { type Refused, Scheduler } from "./scheduler.ts";
import { adoptIntervalMs } from "./upkeep.ts";

const name = (agent: string, key: string, namespace = "default") => ({ namespace, agent, key });
const token = (agent: string, key: string) => sessionToken(name(agent, key));

interface Options {
  /** Of each node. */
  readonly gpus?: number;
  readonly quotas?: ReadonlyMap<string, Quota>;
}
function open(nodes: readonly string[], { gpus = 2, quotas = new Map() }: Options = {}) {
  const agents = new Agents();
  const deploy = (agent: string, resources: object, namespace = "default"): void =>
    agents.set(create(AgentSchema, { namespace, name: agent, revision: "0", resources }));
  deploy("half", { gpuMilli: 500 });
  deploy("half", { gpuMilli: 500 }, "blue");
  deploy("whole", { gpuMilli: 1000 });
  deploy("pair", { gpuMilli: 2000 });
  deploy("heavy", { cpuMilli: 900 });
  deploy("plain", {});
  const pool = new Pool({ quotas });
  const directory = new Directory({ pool, requestOf: (one) => agents.requestOf(one) });
  const sequences = new Map<string, bigint>();
  const clock = { nowMs: 0, wall: 5, wallMs: () => clock.wall, monotonicMs: () => clock.nowMs };
  const report = (node: string, more: MessageInitShape<typeof ReportSchema>): void => {
    const sequence = (sequences.get(node) ?? 0n) + 1n;
    sequences.set(node, sequence);
    const applied = directory.apply(
      create(ReportSchema, { node, incarnation: "1", sequence, ...more }),
      clock.nowMs,
    );
    assert.equal(applied, "applied");
  };
  const join = (id: string): void => {
    const cards = Array.from({ length: gpus }, (_, at) => ({
      uuid: `${id}-${at}`,
      model: "X",
      memoryMib: 1000,
    }));
    const has = { cpuMilli: 1000, memoryMib: 1024, diskMib: 0, gpus: cards };
    directory.join({ id, incarnation: "1", ingress: "127.0.0.1:1", zone: "", ...has });
    report(id, { full: true });
  };
  for (const id of nodes) join(id);
  const asked: string[][] = [];
  const putToSleep = (session: string, node: string): Promise<Slept> => {
    asked.push([session, node]);
    return Promise.resolve("asleep");
  };
  const scheduler = new Scheduler({
    agents,
    directory,
    pool,
    clock,
    rooms: new RoomMaker({ clock, putToSleep }),
  });
  const ask = (agent: string, key: string, namespace?: string): Plan | Refused => {
    const outcome = scheduler.place(name(agent, key, namespace));
    assert.ok(outcome.type === "plan" || outcome.type === "refusal", outcome.type);
    return outcome;
  };
  const decision = (agent: string, key: string) => scheduler.decisionOf(token(agent, key));
  return { scheduler, directory, pool, clock, deploy, report, join, ask, decision, asked };
}
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const devices = (outcome: Plan | PoolRefusal): string[] =>
  outcome.type === "plan" ? outcome.devices.map(({ uuid }) => uuid) : [outcome.reason];
const nodeOf = (outcome: Plan | PoolRefusal): string =>
  outcome.type === "plan" ? outcome.node.id : outcome.reason;

test("every session is placed by the policy, which keeps whole devices whole, and its reasons are remembered", async () => {
  const { scheduler, ask, decision } = open(["a", "b"]);
  using _owned = scheduler;
  await settle();
  const first = devices(ask("half", "1"));
  assert.deepEqual(devices(ask("half", "2")), first);
  assert.equal(devices(ask("pair", "1")).length, 2);
  assert.equal(ask("plain", "1").type, "plan");
  assert.deepEqual([decision("half", "1")?.policy, decision("plain", "1")?.policy], ["bpf", "bpf"]);
  const { candidates, failed } = decision("half", "2") ?? {};
  assert.equal(candidates?.length, 2);
  assert.equal(candidates[0]?.node, nodeOf(ask("half", "2")));
  assert.equal(failed?.gpu_count, 0);
  assert.equal(devices(ask("pair", "2"))[0], "no_room");
  assert.deepEqual([decision("pair", "2")?.failed.gpu_count, decision("pair", "2")?.candidates], [2, []]);
});

test("three idle nodes share 300 sessions that ask for nothing evenly, beside one with GPUs", async () => {
  const { scheduler, directory, ask } = open(["a", "b", "c"], { gpus: 0 });
  using _owned = scheduler;
  for (let i = 0; i < 300; i += 1) {
    ask("plain", String(i));
    if (i % 50 === 0) await settle();
  }
  assert.deepEqual(
    directory.nodes().map(({ id }) => directory.useOf(id)?.sessions),
    [100, 100, 100],
  );
});

test("nodes that come later are used, and prices are made for them between decisions", async () => {
  const { scheduler, pool, clock, join, ask } = open([]);
  using _owned = scheduler;
  assert.equal(nodeOf(ask("half", "1")), "impossible");
  join("a");
  scheduler.nodesChanged();
  await settle();
  assert.equal(pool.isAdoptDue(), false);
  assert.equal(nodeOf(ask("half", "2")), "a");
  clock.nowMs += adoptIntervalMs;
  join("b");
  assert.equal(nodeOf(ask("pair", "1")), "b");
});

test("what is placed on GPUs is compared with each other policy in turn, and nothing else is", async () => {
  const { scheduler, ask } = open(["a", "b"]);
  using _owned = scheduler;
  await settle();
  ask("plain", "1");
  ask("pair", "1");
  for (let i = 0; i < 4; i += 1) ask("half", String(i));
  ask("pair", "refused");
  const compared = [...scheduler.counters().shadow].filter(([, { decisions }]) => decisions > 0);
  assert.equal(compared.length, 5);
  for (const [policy, { destroyedMilli, referenceDestroyedMilli }] of compared)
    assert.ok(destroyedMilli <= referenceDestroyedMilli + 10, `lost against ${policy}`);
});

test("a caller that asks until there is room is one arrival, and one that comes back later is a new one", () => {
  const { scheduler, pool, clock, ask } = open(["a"], { gpus: 1 });
  using _owned = scheduler;
  const { mix } = pool;
  const before = mix.arrivals;
  for (let i = 0; i < 5; i += 1) ask("pair", "1");
  assert.equal(mix.arrivals - before, 1);
  ask("whole", "1");
  assert.equal(mix.arrivals - before, 2);
  clock.wall += 60_000;
  ask("pair", "1");
  assert.equal(mix.arrivals - before, 2, "a wall clock that is set says nothing of time");
  clock.nowMs += 60_000;
  ask("pair", "1");
  assert.equal(mix.arrivals - before, 3);
});

test("decisions and refusals are counted by what the nearest node lacked", async () => {
  const quotas = new Map([["blue", { gpuMilli: 400 }]]);
  const { scheduler, directory, ask } = open(["a"], { quotas });
  using _owned = scheduler;
  await settle();
  ask("pair", "1");
  ask("pair", "2");
  ask("half", "1");
  ask("heavy", "1");
  ask("heavy", "2");
  assert.match(
    describePoolRefusal(ask("half", "1", "blue") as PoolRefusal),
    /^namespace blue uses 0 of its quota of 400 gpuMilli/,
  );
  directory.drop("a");
  ask("plain", "1");
  const { decisions, refusals } = scheduler.counters();
  assert.equal(decisions, 7);
  assert.deepEqual(Object.fromEntries(refusals), {
    gpu_count: 1,
    gpu_milli: 1,
    cpu: 1,
    quota: 1,
    no_node: 1,
  });
});

test("sessions of different namespaces get different devices", () => {
  const { scheduler, ask } = open(["a"]);
  using _owned = scheduler;
  const red = devices(ask("half", "1"));
  const blue = devices(ask("half", "1", "blue"));
  assert.notDeepEqual(red, blue);
  assert.deepEqual([devices(ask("half", "2")), devices(ask("half", "2", "blue"))], [red, blue]);
});

test("a session goes back to the node where it fell asleep", () => {
  const { scheduler, report, ask } = open(["a", "b"], { gpus: 0 });
  using _owned = scheduler;
  const first = nodeOf(ask("plain", "1"));
  report(first, { activated: [{ ...name("plain", "1"), epoch: 1n }] });
  for (let i = 2; i < 9; i += 1) report(first, { activated: [{ ...name("plain", String(i)), epoch: 1n }] });
  report(first, { deactivated: [token("plain", "1")] });
  assert.notEqual(nodeOf(ask("plain", "9")), first);
  assert.equal(nodeOf(ask("plain", "1")), first);
});

test("the room of a placement stays taken as long as any grant for it may be used", () => {
  const { scheduler, clock, report, ask } = open(["a"], { gpus: 1 });
  using _owned = scheduler;
  assert.equal(nodeOf(ask("whole", "slow")), "a");
  clock.nowMs = 9_000;
  assert.equal(nodeOf(ask("whole", "slow")), "a", "this grant may be used until 19 s");
  clock.nowMs = 19_000;
  assert.equal(nodeOf(ask("whole", "next")), "no_room");
  clock.nowMs = 20_000;
  const held = [{ uuid: "a-0", whole: true, milli: 1000, memoryMib: 1000 }];
  report("a", { activated: [{ ...name("whole", "slow"), epoch: 1n, devices: held }] });
  clock.nowMs = 1_000_000;
  assert.equal(nodeOf(ask("whole", "next")), "no_room");
});

test("a report that comes later than its reservation takes the room from whoever was placed there since", () => {
  const { scheduler, clock, report, ask } = open(["a", "b"], { gpus: 1 });
  using _owned = scheduler;
  const node = nodeOf(ask("whole", "late"));
  clock.nowMs = tentativeMs;
  const others = [ask("whole", "1"), ask("whole", "2")];
  assert.deepEqual(others.map(nodeOf).toSorted(), ["a", "b"]);
  const held = [{ uuid: `${node}-0`, whole: true, milli: 1000, memoryMib: 1000 }];
  report(node, { activated: [{ ...name("whole", "late"), epoch: 1n, devices: held }] });
  const again = ["1", "2"].map((key) => nodeOf(ask("whole", key)));
  assert.deepEqual(again.toSorted(), [node === "a" ? "b" : "a", "no_room"]);
});

test("a session that its node refuses is sent to another node, and so is the next one", () => {
  const { scheduler, clock, report, ask } = open(["a", "b", "c"], { gpus: 1 });
  using _owned = scheduler;
  const full = nodeOf(ask("whole", "1"));
  report(full, { deactivated: [token("whole", "1")] });
  clock.nowMs = 1_000;
  const others = ["1", "2"].map((key) => nodeOf(ask("whole", key)));
  assert.ok(!others.includes(full), `${others.join()} are not ${full}`);
  assert.equal(nodeOf(ask("whole", "3")), "no_room");
  clock.nowMs = 3_000;
  assert.equal(nodeOf(ask("whole", "3")), full);
});

test("the only node is asked again after a moment when it refused", () => {
  const { scheduler, clock, report, ask } = open(["a"], { gpus: 1 });
  using _owned = scheduler;
  ask("whole", "1");
  report("a", { deactivated: [token("whole", "1")] });
  assert.equal(nodeOf(ask("whole", "1")), "no_room");
  clock.nowMs = 2_000;
  assert.equal(nodeOf(ask("whole", "1")), "a");
});

test("a request with GPUs that finds no room has a holder asked to sleep, and its caller come back soon", () => {
  const { scheduler, report, ask, asked } = open(["a"], { gpus: 1 });
  using _owned = scheduler;
  const held = { uuid: "a-0", whole: true, milli: 1000, memoryMib: 1000 };
  assert.equal(scheduler.place(name("whole", "1")).type, "plan");
  const retryMs = (agent: string, key: string): number | undefined => {
    const outcome = ask(agent, key);
    return outcome.type === "plan" ? undefined : outcome.retryMs;
  };
  assert.deepEqual([retryMs("whole", "2"), asked], [1_000, []]); // nobody has said yet that it is awake
  report("a", { activated: [{ ...name("whole", "1"), epoch: 1n, devices: [held] }] });
  assert.deepEqual(
    [retryMs("pair", "3"), retryMs("heavy", "4"), retryMs("heavy", "5"), asked],
    [1_000, undefined, 1_000, []],
  );
  assert.deepEqual([retryMs("whole", "2"), asked], [250, [[token("whole", "1"), "a"]]]);
});

test("nobody sleeps for a request without GPUs", () => {
  const { scheduler, deploy, report, asked } = open(["a"], { gpus: 1 });
  using _owned = scheduler;
  deploy("mixed", { cpuMilli: 900, gpuMilli: 1000 });
  const held = { uuid: "a-0", whole: true, milli: 1000, memoryMib: 1000 };
  report("a", { activated: [{ ...name("mixed", "1"), epoch: 1n, devices: [held] }] });
  const refused = scheduler.place(name("heavy", "1"));
  assert.ok(refused.type === "refusal");
  assert.deepEqual([refused.retryMs, asked], [1_000, []]);
});

test("a gang is reserved as a whole beside what is there, its members keep the places that they have, and can be given up", () => {
  const { scheduler, directory, ask, decision } = open(["a", "b"], { gpus: 1 });
  using _owned = scheduler;
  const first = ask("whole", "1");
  const gang = [name("half", "1"), name("whole", "1"), name("half", "2")];
  const plans = scheduler.placeAll(gang);
  assert.ok(!("type" in plans));
  assert.deepEqual(plans[1], first);
  const [one, , two] = plans.map(({ node }) => node.id);
  assert.equal(one, two);
  assert.notEqual(one, nodeOf(first));
  assert.equal(decision("half", "2")?.outcome.type, "plan");
  assert.equal(directory.size, 3);
  for (const member of gang) scheduler.release(member);
  assert.equal(directory.size, 0);
});

test("a gang of which one member finds no place reserves nothing, and says which one", () => {
  const { scheduler, directory, ask, decision, asked } = open(["a", "b"], { gpus: 1 });
  using _owned = scheduler;
  ask("half", "1");
  const refused = scheduler.placeAll([name("whole", "1"), name("half", "1"), name("whole", "2")]);
  assert.ok("refusal" in refused);
  assert.deepEqual([refused.member, refused.refusal.reason], [2, "no_room"]);
  assert.equal(decision("whole", "2")?.outcome.type, "refusal");
  assert.deepEqual([directory.size, asked], [1, []]);
});

test("what is awake cannot be given up", () => {
  const { scheduler, directory, report } = open(["a"]);
  using _owned = scheduler;
  report("a", { activated: [{ ...name("plain", "1"), epoch: 1n }] });
  scheduler.release(name("plain", "1"));
  assert.equal(directory.size, 1);
});

test("an agent that is not deployed is told, alone and in a gang, and nothing is reserved", () => {
  const { scheduler, directory } = open(["a"]);
  using _owned = scheduler;
  assert.deepEqual(scheduler.place(name("nobody", "1")), { type: "unknown_agent" });
  const gang = [name("plain", "1"), name("nobody", "1")];
  assert.deepEqual(scheduler.placeAll(gang), { type: "unknown_agent", member: 1 });
  assert.equal(directory.size, 0);
});
