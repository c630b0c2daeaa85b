import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { bookGang } from "../../test/book-gang.ts";
import { deviceMode } from "./books.ts";
import { decideGang } from "./gang.ts";
import { cardMemoryOn, milliOn } from "./kind.ts";
import { applyRoom, planRoom } from "./make-room.ts";
import type { NodeSpec } from "./node-spec.ts";
import { type PolicyName, policies } from "./policies.ts";
import { type Placed, Pool } from "./pool.ts";
import type { PoolRequest } from "./request.ts";
import type { GpuRequest } from "./resources.ts";

const namespaces = ["red", "blue"];
const gpu: fc.Arbitrary<GpuRequest> = fc.oneof(
  fc.constant<GpuRequest>({ type: "none" }),
  fc.record({
    type: fc.constant("whole" as const),
    count: fc.integer({ min: 1, max: 4 }),
    memoryMib: fc.constantFrom(0, 40_000),
  }),
  fc
    .record({
      type: fc.constant("fraction" as const),
      milli: fc.constantFrom(0, 1, 250, 333, 500, 810, 999),
      memoryMib: fc.constantFrom(0, 0, 1000, 12_345, 60_000),
    })
    .filter((one) => one.milli + one.memoryMib > 0),
);
const labels = fc.subarray(["a", "b"]);
const request: fc.Arbitrary<Omit<PoolRequest, "session">> = fc.record(
  {
    namespace: fc.constantFrom(...namespaces),
    resources: fc.record({
      cpuMilli: fc.constantFrom(0, 500, 4000),
      memoryMib: fc.constantFrom(0, 1024, 8000),
      gpu,
    }),
    diskMib: fc.constantFrom(0, 5000),
    models: fc.subarray(["X", "Y"]),
    isolation: fc.constantFrom("shared", "process", "dedicated"),
    labels,
    affinity: fc.constantFrom([], [], ["a"]),
    antiAffinity: fc.constantFrom([], [], ["b"]),
  },
  { requiredKeys: ["namespace", "resources"] },
);
const kind = fc.record({
  cpuMilli: fc.constantFrom(2000, 16_000),
  memoryMib: fc.constantFrom(4096, 32_768),
  diskMib: fc.constantFrom(0, 10_000),
  zone: fc.constantFrom("z1", "z2"),
  cards: fc.array(
    fc.record({ model: fc.constantFrom("X", "Y"), memoryMib: fc.constantFrom(0, 24_000, 80_000) }),
    {
      maxLength: 4,
    },
  ),
});
const specOf = (
  { cards, ...spec }: typeof kind extends fc.Arbitrary<infer T> ? T : never,
  n: number,
): NodeSpec => ({
  ...spec,
  id: `n${n}`,
  gpus: cards.map((card, i) => ({ uuid: `${n}-${i}`, ...card })),
});
const nodes: fc.Arbitrary<NodeSpec[]> = fc
  .array(kind, { minLength: 1, maxLength: 6 })
  .map((shapes) => shapes.map((one, n) => specOf(one, n)));
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("place" as const), request }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("release" as const), at: fc.nat(50) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("gang" as const),
      request,
      members: fc.integer({ min: 2, max: 5 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("room" as const),
      request,
      how: fc.constantFrom("move", "sleep"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("adopt" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("leave" as const), at: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("join" as const), at: fc.nat(9), kind }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("ready" as const), at: fc.nat(9), isReady: fc.boolean() }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
const policy = fc.constantFrom(...(Object.keys(policies) as PolicyName[]));
const quotas = new Map([["blue", { gpuMilli: 3000, sessions: 6 }]]);

/** Plays one step; session names are taken from the counter. */
function play(pool: Pool, one: Step, name: () => string): void {
  const placed = [...pool.sessions.values()];
  if (one.do === "adopt") pool.adopt();
  else if (one.do === "leave") pool.leave(`n${one.at}`);
  else if (one.do === "ready") pool.setReady(`n${one.at}`, one.isReady);
  else if (one.do === "join") {
    if (pool.books.slotOf(`n${one.at}`) === undefined) pool.join(specOf(one.kind, one.at));
  } else if (one.do === "release") {
    const gone = placed[one.at % Math.max(1, placed.length)];
    if (gone !== undefined) pool.release(gone.request.session);
  } else if (one.do === "place") pool.place({ ...one.request, session: name() });
  else if (one.do === "gang") {
    const gang = decideGang(
      pool,
      Array.from({ length: one.members }, () => ({ ...one.request, session: name() })),
    );
    const before = pool.sessions.size;
    if (gang.type === "gang") bookGang(pool, gang);
    assert.equal(
      pool.sessions.size - before,
      gang.type === "gang" ? one.members : 0,
      "a gang is placed in part",
    );
  } else {
    const plan = planRoom(pool, { ...one.request, session: name() }, { how: one.how, mayLeave, most: 3 });
    if (plan !== undefined) assert.notEqual(applyRoom(pool, plan), "stale");
  }
}

/** Some of them. */
function mayLeave({ request: asked }: Placed): boolean {
  return asked.diskMib === 5000;
}

/** Everything that must hold of a pool, from its sessions alone and against its books. */
function check(pool: Pool): void {
  const { books } = pool;
  let [used, capacity] = [0, 0];
  for (const [node, spec] of books.specs.entries()) {
    const here = [...pool.sessions.values()].filter((one) => one.node === node);
    assert.deepEqual(new Set(here), pool.sessionsOn(node));
    assert.equal(books.sessions[node], here.length);
    if (spec === undefined) {
      assert.deepEqual(
        [here.length, books.isReady[node], books.cpuMilli[node], books.gpuMilli[node]],
        [0, 0, 0, 0],
      );
      continue;
    }
    assert.equal(books.slotOf(spec.id), node);
    const sum = (of: (one: Placed) => number): number => here.reduce((total, one) => total + of(one), 0);
    assert.equal(books.cpuMilli[node], spec.cpuMilli - sum((one) => one.kind.cpuMilli));
    assert.equal(books.memoryMib[node], spec.memoryMib - sum((one) => one.kind.memoryMib));
    assert.equal(books.diskMib[node], spec.diskMib - sum((one) => one.kind.diskMib));
    const milli = spec.gpus.map((_, i) => books.deviceMilli[node * books.stride + i] ?? 0);
    const free = milli.reduce((total, one) => total + one, 0);
    assert.equal(books.gpuMilli[node], free);
    assert.equal(
      books.idleGpus[node],
      spec.gpus.filter((_, i) => here.every(({ mask }) => ((mask >> i) & 1) === 0)).length,
    );
    used += spec.gpus.length * 1000 - free;
    capacity += spec.gpus.length * 1000;
    assert.ok(
      sum((one) => one.kind.cpuMilli) <= spec.cpuMilli && sum((one) => one.kind.memoryMib) <= spec.memoryMib,
    );
    assert.ok(sum((one) => one.kind.diskMib) <= spec.diskMib);
    for (const [i, card] of spec.gpus.entries())
      checkDevice(pool, { node, position: i, memoryMib: card.memoryMib }, here);
    for (const one of here) {
      const wanted = one.request.models ?? [];
      for (const device of pool.devicesOf(one)) {
        const model: string = spec.gpus.find((known) => known.uuid === device.uuid)?.model ?? "";
        assert.ok(wanted.length === 0 || wanted.includes(model), `${model} is none of ${wanted.join()}`);
      }
      const others = here.filter(
        (other) => other !== one && other.request.namespace === one.request.namespace,
      );
      for (const kept of one.request.antiAffinity ?? []) {
        assert.ok(
          !others.some((other) => other.request.labels?.includes(kept)),
          "a kept away label is on the node",
        );
      }
    }
  }
  assert.deepEqual(
    [books.usedMilli, books.capacityMilli, books.nodes],
    [used, capacity, books.specs.filter(Boolean).length],
  );
  for (const namespace of namespaces) {
    const its = [...pool.sessions.values()].filter((one) => one.request.namespace === namespace);
    assert.equal(pool.quotas.usedBy(namespace).sessions, its.length);
  }
  assert.ok(pool.quotas.usedBy("blue").sessions <= 6 && pool.quotas.usedBy("blue").gpuMilli <= 3000);
}

interface Device {
  readonly node: number;
  readonly position: number;
  readonly memoryMib: number;
}

function checkDevice({ books }: Pool, { node, position, memoryMib }: Device, here: readonly Placed[]): void {
  const on = here.filter(({ mask }) => ((mask >> position) & 1) === 1);
  const whole = on.filter(({ kind: asked }) => !asked.isFraction);
  if (whole.length > 0) assert.equal(on.length, 1, "a whole device is shared");
  const milli = on.reduce(
    (sum, { kind: asked }) => sum + (asked.isFraction ? milliOn(asked, memoryMib) : 1000),
    0,
  );
  const memory = on.reduce(
    (sum, { kind: asked }) => sum + (asked.isFraction ? cardMemoryOn(asked, memoryMib) : memoryMib),
    0,
  );
  assert.ok(milli <= 1000, `${milli} milli of one device are given out`);
  const at = node * books.stride + position;
  assert.deepEqual([books.deviceMilli[at], books.deviceMemoryMib[at]], [1000 - milli, memoryMib - memory]);
  assert.equal(books.deviceSessions[at], on.length);
  assert.ok(memory <= memoryMib, `${memory} of ${memoryMib} MiB are given out`);
  const tenants = new Set(on.map(({ request: asked }) => asked.namespace));
  const classes = new Set(on.map(({ request: asked }) => asked.isolation ?? "shared"));
  assert.ok(
    tenants.size <= 1 || [...classes].every((one) => one === "shared"),
    "tenants share a device against their class",
  );
  assert.ok(classes.size <= 1, "sharing modes are mixed on one device");
  if (classes.has("dedicated")) assert.equal(on.length, 1, "a dedicated device is shared");
  assert.equal(books.deviceMode[at] === deviceMode.idle, on.length === 0);
}

test("no history of a pool exceeds a capacity or a quota, mixes the modes of a GPU, or lets tenants share against their class", () => {
  fc.assert(
    fc.property(policy, nodes, fc.array(step, { maxLength: 40, size: "max" }), (name, specs, steps) => {
      const pool = new Pool({ nodes: specs, policy: name, quotas });
      let sessions = 0;
      for (const one of steps) {
        play(pool, one, () => `s${sessions++}`);
        check(pool);
      }
    }),
    { numRuns: 300 },
  );
});

test("a plan is refused once its node or its namespace's quota has changed, and the books stay as they were", () => {
  fc.assert(
    fc.property(
      policy,
      nodes,
      fc.array(step, { maxLength: 20, size: "max" }),
      request,
      request,
      (name, specs, steps, first, second) => {
        const pool = new Pool({ nodes: specs, policy: name, quotas });
        let sessions = 0;
        for (const one of steps) play(pool, one, () => `s${sessions++}`);
        const plan = pool.decide({ ...first, session: "first" });
        if (plan.type === "refusal") return;
        const other = pool.decide({ ...second, session: "second" });
        const isSame = other.type === "plan" && other.node === plan.node;
        if (other.type === "plan") assert.notEqual(pool.commit(other), "stale");
        const isOver = pool.quotas.missOf(first.namespace, pool.amountsOf(plan.kind)) !== undefined;
        const isRefused = isSame || isOver;
        const size = pool.sessions.size;
        assert.equal(pool.commit(plan) === "stale", isRefused);
        assert.equal(pool.sessions.size, isRefused ? size : size + 1);
        check(pool);
      },
    ),
  );
});

test("deciding changes nothing: the next decision is the same, and so is one from a pool with the same history", () => {
  fc.assert(
    fc.property(
      policy,
      nodes,
      fc.array(step, { maxLength: 20, size: "max" }),
      request,
      (name, specs, steps, wanted) => {
        fc.pre(name !== "random");
        const build = (): Pool => {
          const pool = new Pool({ nodes: specs, policy: name, quotas });
          let sessions = 0;
          for (const one of steps) play(pool, one, () => `s${sessions++}`);
          return pool;
        };
        const pool = build();
        const decision = pool.decide({ ...wanted, session: "new" });
        assert.deepEqual(pool.decide({ ...wanted, session: "new" }), decision);
        assert.deepEqual(build().decide({ ...wanted, session: "new" }), decision);
      },
    ),
  );
});

test("a refusal is honest: every node is counted once, at a constraint that it really fails", () => {
  fc.assert(
    fc.property(
      policy,
      nodes,
      fc.array(step, { maxLength: 30, size: "max" }),
      request,
      (name, specs, steps, wanted) => {
        const pool = new Pool({ nodes: specs, policy: name, quotas });
        let sessions = 0;
        for (const one of steps) play(pool, one, () => `s${sessions++}`);
        const refusal = pool.decide({ ...wanted, session: "new" });
        if (refusal.type === "plan" || refusal.reason === "invalid" || refusal.reason === "quota") return;
        const counted = Object.values(refusal.failed).reduce((total, count) => total + count, 0);
        assert.deepEqual([counted, refusal.nodes], [pool.books.nodes, pool.books.nodes]);
        assert.equal(refusal.nearest === undefined, refusal.failed.not_ready === refusal.nodes);
        if (refusal.nearest !== undefined) assert.ok(refusal.nearest.free < refusal.nearest.wanted);
        const empty = new Pool({
          nodes: pool.books.specs.filter((spec) => spec !== undefined),
          policy: name,
        });
        const { affinity: _, ...free } = wanted;
        assert.equal(
          empty.decide({ ...free, session: "new" }).type === "refusal",
          refusal.reason === "impossible",
        );
      },
    ),
  );
});
