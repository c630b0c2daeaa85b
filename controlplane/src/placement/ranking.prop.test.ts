import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ask, fraction, node, none, whole } from "../../test/node-specs.ts";
import { type PolicyName, policies } from "./policies.ts";
import { Pool } from "./pool.ts";

const gpu = fc.constantFrom(
  none,
  none,
  none,
  whole(1),
  whole(2),
  whole(8),
  fraction(250),
  fraction(460),
  fraction(810),
);
const labels = fc.constantFrom<string[][]>([], [], ["a"], ["b"]);
const requests = fc.array(
  fc.record({
    gpu,
    labels,
    antiAffinity: labels,
    cores: fc.constantFrom(0, 0, 1, 6, 12),
    gib: fc.constantFrom(0, 8),
    leaves: fc.boolean(),
    catchesUp: fc.boolean(),
    /** A node that goes, and one that comes: twice as many as at the start make the columns grow. */
    goes: fc.option(fc.nat(60), { freq: 6 }),
    comes: fc.option(fc.nat(60), { freq: 2 }),
  }),
  { maxLength: 120, size: "max" },
);
/** `bpf` alone has ties that depend on the kind. */
const names = [
  "bpf",
  "bpf",
  "bpf",
  ...(Object.keys(policies) as PolicyName[]).filter((name) => name !== "random"),
] as const;

/** More than one block of nodes, and a last block that is not full. */
const specOf = (i: number) =>
  node(`n${i}`, { gpus: [8, 2, 0, 4, 12][i % 5] ?? 0, cores: 32 + (i % 3) * 32 + (i > 40 ? i : 0) });
const specs = Array.from({ length: 37 }, (_, i) => specOf(i)).filter(({ gpus }) => gpus.length < 12);

test("the kept costs pick the node that a fresh look at all nodes picks", () => {
  fc.assert(
    fc.property(fc.constantFrom(...names), requests, (name, steps) => {
      const kept = new Pool({ nodes: specs, policy: name });
      for (const [i, { gpu: device, leaves, catchesUp, goes, comes, ...rest }] of steps.entries()) {
        const request = ask(`s${i}`, device, rest);
        if (goes !== null) kept.leave(`n${goes}`);
        if (comes !== null && kept.books.slotOf(`n${comes}`) === undefined) kept.join(specOf(comes));
        kept.arrived(request);
        if (i % 30 === 29) kept.adopt();
        const plan = kept.decide(request);
        const anew = fresh(kept, request);
        assert.equal(plan.type === "plan" ? plan.nodeId : undefined, anew);
        if (plan.type === "plan") kept.commit(plan);
        if (catchesUp) kept.ranking.catchUp();
        if (leaves) kept.release(`s${Math.floor(i / 2)}`);
      }
    }),
    { numRuns: 60 },
  );
});

/**
 * By the definition: least cost, then the fullest or the first; those that name nothing go to the emptiest.
 */
function fresh(pool: Pool, request: Parameters<Pool["decide"]>[0]): string | undefined {
  const kind = pool.kindOf(request);
  if (typeof kind === "string") return undefined;
  const missOn = pool.labels.missesOf(request);
  const named = { cpu: kind.cpuMilli > 0, memory: kind.memoryMib >= 1, gpu: kind.gpuCount > 0 };
  let best: { node: number; cost: number; left: readonly number[] } | undefined;
  for (let index = 0; index < pool.books.count; index++) {
    if (!pool.books.fits(index, kind) || missOn?.(index) !== undefined) continue;
    const cost = pool.policy.cost(index, kind);
    const left = leftOf(pool, index, named);
    const isFuller = pool.policy.tie === "fullest" && cost === best?.cost && isBefore(left, best.left);
    if (best === undefined || cost < best.cost || isFuller) best = { node: index, cost, left };
  }
  return best === undefined ? undefined : pool.books.idOf(best.node);
}

interface Names {
  readonly cpu: boolean;
  readonly memory: boolean;
  readonly gpu: boolean;
}

/** Compared from left to right, the least wins. */
function leftOf({ books }: Pool, index: number, named: Names): readonly number[] {
  const [cpu, memory, gpus] = [
    books.cpuMilli[index] ?? 0,
    books.memoryMib[index] ?? 0,
    books.gpuMilli[index] ?? 0,
  ];
  if (named.gpu || named.cpu) return [cpu / 16 + gpus];
  if (named.memory) return [memory / 128 + gpus];
  const spec = books.specs[index];
  const room = cpu / (spec?.cpuMilli ?? 1) + memory / (spec?.memoryMib ?? 1);
  return [books.gpus[index] === 0 ? 0 : 1, -room, books.sessions[index] ?? 0];
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((one, i) => one !== b[i]);
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0);
}

test("random takes any node that fits, and each of them in time", () => {
  const pool = new Pool({ nodes: specs, policy: "random", seed: 7 });
  const seen = new Set<string>();
  for (let i = 0; i < 600; i++) {
    const plan = pool.decide(ask("s", whole(8)));
    assert.ok(plan.type === "plan" && (pool.books.gpus[plan.node] ?? 0) === 8);
    seen.add(plan.nodeId);
  }
  assert.equal(seen.size, specs.filter((spec) => spec.gpus.length === 8).length);
});
