// Random histories of nodes and sessions over the directory, the pool and the scheduler: after every step the
// books are what a naive count of the entries says, and no device is given to those who must not share it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Agent, AgentSchema } from "@voda/proto/api";
import { type ActivationSchema, ReportSchema } from "@voda/proto/node";
import { type SessionName, type SessionToken, sessionToken } from "@voda/proto/session";
import * as fc from "fast-check";
import { Agents } from "../agents/agents.ts";
import { type DeviceShare, Pool, type PoolRequest } from "../placement/index.ts";
import { RoomMaker, Scheduler } from "../scheduler/index.ts";
import { Directory, type DirectoryNode, tentativeMs } from "./directory.ts";
import { refusedMs } from "./refusals.ts";

const fraction = (milli: number, memoryMib: number) => ({ type: "fraction", milli, memoryMib }) as const;
const whole = (count: number) => ({ type: "whole", count, memoryMib: 0 }) as const;
const none = { type: "none" } as const;
/** What agents ask for: `isolation` is `process` but for `open`. */
const asked: Record<string, Pick<PoolRequest, "resources" | "isolation" | "labels" | "antiAffinity">> = {
  half: { resources: { cpuMilli: 100, memoryMib: 0, gpu: fraction(500, 0) } },
  tenth: { resources: { cpuMilli: 0, memoryMib: 64, gpu: fraction(100, 700) } },
  open: { resources: { cpuMilli: 0, memoryMib: 0, gpu: fraction(300, 10) }, isolation: "shared" },
  memory: { resources: { cpuMilli: 0, memoryMib: 0, gpu: fraction(0, 400) } },
  alone: { resources: { cpuMilli: 0, memoryMib: 0, gpu: fraction(200, 0) }, isolation: "dedicated" },
  one: { resources: { cpuMilli: 1500, memoryMib: 0, gpu: whole(1) } },
  two: { resources: { cpuMilli: 0, memoryMib: 0, gpu: whole(2) } },
  heavy: {
    resources: { cpuMilli: 3000, memoryMib: 0, gpu: none },
    labels: ["heavy"],
    antiAffinity: ["heavy"],
  },
  plain: { resources: { cpuMilli: 0, memoryMib: 0, gpu: none } },
};
class AskingAgents extends Agents {
  override get(namespace: string, name: string): Agent {
    return create(AgentSchema, { namespace, name });
  }

  override requestOf(name: SessionName): PoolRequest {
    const of = asked[name.agent] ?? assert.fail();
    return { isolation: "process", ...of, session: sessionToken(name), namespace: name.namespace };
  }
}
const ids = ["a", "b", "c"];
const cardMib = 1000;
const nodeOf = (id: string, gpus: number): DirectoryNode => ({
  id,
  incarnation: "1",
  ingress: "127.0.0.1:1",
  zone: "",
  cpuMilli: 4000,
  memoryMib: 256,
  diskMib: 0,
  gpus: Array.from({ length: gpus }, (_, i) => ({ uuid: `${id}-g${i}`, model: "X", memoryMib: cardMib })),
});

const name = fc.record({
  namespace: fc.constantFrom("red", "blue"),
  agent: fc.constantFrom(...Object.keys(asked)),
  key: fc.nat(1).map(String),
});
const share = fc.record({
  uuid: fc.constantFrom("a-g0", "a-g1", "b-g0", "c-g1", "nowhere"),
  whole: fc.boolean(),
  milli: fc.integer({ min: 0, max: 1200 }),
  memoryMib: fc.integer({ min: 0, max: 1200 }),
});
const activation = fc.record({
  name,
  epoch: fc.bigInt({ min: 1n, max: 4n }),
  devices: fc.array(share, { maxLength: 3 }),
});
const node = fc.constantFrom(...ids);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ does: fc.constant("place" as const), name }) },
  { weight: 4, arbitrary: fc.record({ does: fc.constant("confirm" as const), name }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant("leave" as const), name }) },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant("report" as const),
      node,
      full: fc.boolean(),
      activated: fc.array(activation, { maxLength: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant("pass" as const),
      ms: fc.constantFrom(1, refusedMs, tentativeMs),
    }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("drop" as const), node }) },
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constant("join" as const), node, gpus: fc.integer({ min: 0, max: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("ready" as const), node, isReady: fc.boolean() }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** One control plane's memory, and all sessions that it ever heard of. */
class History implements Disposable {
  readonly agents = new AskingAgents();
  readonly pool = new Pool({});
  readonly directory = new Directory({ pool: this.pool, requestOf: (one) => this.agents.requestOf(one) });
  readonly names = new Map<SessionToken, SessionName>();
  nowMs = 0;
  readonly #sequences = new Map<string, bigint>();
  readonly #scheduler: Scheduler;

  constructor() {
    const clock = { wallMs: () => 0, monotonicMs: () => this.nowMs };
    const rooms = new RoomMaker({ clock, putToSleep: () => Promise.resolve("away") });
    const { agents, directory, pool } = this;
    this.#scheduler = new Scheduler({ agents, directory, pool, clock, rooms });
    for (const id of ids) this.join(id, 2);
  }

  [Symbol.dispose](): void {
    this.#scheduler[Symbol.dispose]();
  }

  play(one: Step): void {
    if (one.does === "drop") this.directory.drop(one.node);
    else if (one.does === "join") this.join(one.node, one.gpus);
    else if (one.does === "ready") this.directory.setReady(one.node, one.isReady);
    else if (one.does === "pass") this.#pass(one.ms);
    else if (one.does === "report") {
      const activated = one.activated.map((each) => ({
        ...each.name,
        epoch: each.epoch,
        devices: each.devices,
      }));
      for (const each of one.activated) this.#know(each.name);
      this.report(one.node, { full: one.full, activated });
    } else this.#playSession(one.does, one.name);
  }

  join(id: string, gpus: number): void {
    this.directory.join(nodeOf(id, gpus));
    this.#sequences.set(id, 0n);
    this.report(id, { full: true });
  }

  report(id: string, more: MessageInitShape<typeof ReportSchema>): void {
    const sequence = (this.#sequences.get(id) ?? 0n) + 1n;
    this.#sequences.set(id, sequence);
    this.directory.apply(create(ReportSchema, { node: id, incarnation: "1", sequence, ...more }), this.nowMs);
  }

  #pass(ms: number): void {
    this.nowMs += ms;
    this.directory.expire(this.nowMs);
  }

  #know(of: SessionName): SessionToken {
    const token = sessionToken(of);
    this.names.set(token, of);
    return token;
  }

  #playSession(does: "place" | "confirm" | "leave", of: SessionName): void {
    const token = this.#know(of);
    const owner = this.directory.ownerOf(token, this.nowMs);
    if (does === "place") {
      const outcome = this.#scheduler.place(of);
      const now = this.directory.ownerOf(token, this.nowMs);
      assert.equal(now?.node, "node" in outcome ? outcome.node.id : undefined);
      if (now?.isConfirmed !== false) return;
      assert.equal(this.directory.useOf(now.node)?.isReady, true);
      assert.deepEqual(now.devices, outcome.type === "plan" ? outcome.devices : []);
      const { gpu } = this.agents.requestOf(of).resources;
      assert.equal(now.devices.length, gpu.type === "none" ? 0 : gpu.type === "whole" ? gpu.count : 1);
    } else if (owner !== undefined && does === "confirm") {
      const activated: MessageInitShape<typeof ActivationSchema>[] = [
        { ...of, epoch: 5n, devices: [...owner.devices] },
      ];
      this.report(owner.node, { activated });
      assert.deepEqual(
        this.directory.ownerOf(token, this.nowMs)?.devices,
        owner.devices,
        "a session lost what it held",
      );
    } else if (owner !== undefined) {
      this.report(owner.node, { deactivated: [token] });
      assert.equal(this.directory.ownerOf(token, this.nowMs), undefined);
    }
  }
}

interface Holding {
  readonly node: string;
  readonly devices: readonly DeviceShare[];
  readonly placed: {
    readonly kind: { readonly cpuMilli: number; readonly memoryMib: number };
    readonly request: PoolRequest;
  };
  /** Absent of room that a node refused. */
  readonly name: SessionName | undefined;
}

function check({ directory, pool, agents, names }: History): void {
  const holdings: Holding[] = [...pool.sessions.values()].map((placed) => ({
    node: pool.books.idOf(placed.node),
    devices: pool.devicesOf(placed),
    placed,
    name: names.get(placed.request.session as SessionToken),
  }));
  const owned = [...names.keys()].filter(
    (token) => directory.ownerOf(token, Number.NEGATIVE_INFINITY) !== undefined,
  );
  const booked = holdings.filter((one) => one.name !== undefined).map((one) => one.placed.request.session);
  assert.deepEqual(booked.toSorted(), owned.toSorted());
  assert.equal(directory.size, owned.length);
  for (const token of owned) {
    const owner = directory.ownerOf(token, Number.NEGATIVE_INFINITY);
    const holding = holdings.find((one) => one.placed.request.session === token);
    assert.deepEqual([owner?.node, owner?.devices], [holding?.node, holding?.devices]);
  }
  for (const namespace of ["red", "blue"]) {
    const its = owned.filter((token) => names.get(token)?.namespace === namespace);
    assert.equal(pool.quotas.usedBy(namespace).sessions, its.length);
  }
  for (const one of directory.nodes())
    checkNode(
      one,
      holdings.filter((holding) => holding.node === one.id),
      { directory, agents },
    );
}

function checkNode(
  one: DirectoryNode,
  here: readonly Holding[],
  { directory, agents }: Pick<History, "directory" | "agents">,
): void {
  const use = directory.useOf(one.id) ?? assert.fail();
  const sum = (of: (holding: Holding) => number): number =>
    here.reduce((total, holding) => total + of(holding), 0);
  assert.equal(use.sessions, here.length);
  assert.equal(
    use.cpuMilli,
    sum(({ placed }) => placed.kind.cpuMilli),
  );
  assert.equal(
    use.memoryMib,
    sum(({ placed }) => placed.kind.memoryMib),
  );
  assert.ok(use.cpuMilli <= one.cpuMilli && use.memoryMib <= one.memoryMib);
  for (const device of use.devices) {
    const on = here.filter(({ devices }) => devices.some(({ uuid }) => uuid === device.uuid));
    const shares = on.flatMap(({ devices }) => devices).filter(({ uuid }) => uuid === device.uuid);
    const total = (of: (share: DeviceShare) => number): number =>
      shares.reduce((all, held) => all + of(held), 0);
    assert.deepEqual(
      [device.allocatedMilli, device.allocatedMemoryMib, device.sessions],
      [total(({ milli }) => milli), total(({ memoryMib }) => memoryMib), shares.length],
    );
    assert.ok(device.allocatedMilli <= 1000 && device.allocatedMemoryMib <= cardMib);
    assert.ok(shares.length <= 1 || shares.every((held) => !held.whole), "a whole device is shared");
    const tenants = on.flatMap(({ name: of }) => of ?? []);
    const areOpen = tenants.every((of) => agents.requestOf(of).isolation === "shared");
    assert.ok(
      areOpen || new Set(tenants.map(({ namespace }) => namespace)).size <= 1,
      "namespaces share a device",
    );
  }
}

test("whatever happens to nodes and sessions, the books are the count of the entries and exceed no node, and tenants share as they said", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 80, size: "max" }), (steps) => {
      using history = new History();
      for (const one of steps) {
        history.play(one);
        check(history);
      }
    }),
    { numRuns: 200 },
  );
});
