// Histories of pools for the properties of this folder.
import * as fc from "fast-check";
import { type PolicyName, policies } from "../src/placement/policies.ts";
import { Pool } from "../src/placement/pool.ts";
import type { PoolRequest } from "../src/placement/request.ts";
import { ask, fraction, node, none, whole } from "./node-specs.ts";

const labels = fc.constantFrom<string[][]>([], [], ["a"], ["b"], ["a", "b"]);
export const member = fc.record({
  gpu: fc.constantFrom(none, whole(1), whole(1), whole(2), whole(4), fraction(250), fraction(460)),
  cores: fc.constantFrom(1, 6, 12),
  namespace: fc.constantFrom("red", "blue"),
  labels,
  affinity: labels,
  antiAffinity: labels,
  models: fc.constantFrom<string[][]>([], ["A"], ["B"]),
  spread: fc.boolean(),
  warm: fc.constantFrom<string[]>("", "", "n3", "n20"),
});
export type PlacedMember = typeof member extends fc.Arbitrary<infer T> ? T : never;
export const history = fc.array(fc.record({ member, leaves: fc.boolean() }), { maxLength: 40, size: "max" });
export type History = typeof history extends fc.Arbitrary<infer T> ? T : never;
export const policy = fc.constantFrom(...(Object.keys(policies) as PolicyName[]));
const quotas = new Map([["blue", { gpuMilli: 9000 }]]);

/** More than one block of nodes, and a last block that is not full. */
const nodes = Array.from({ length: 37 }, (_, i) =>
  node(`n${i}`, {
    gpus: [4, 2, 0][i % 3] ?? 0,
    model: "AB"[i % 2] ?? "",
    cores: 16 + (i % 3) * 16,
    zone: `z${i % 4}`,
  }),
);

export function requestOf(session: string, { gpu, spread, warm, ...rest }: PlacedMember): PoolRequest {
  return ask(session, gpu, {
    ...rest,
    ...(spread && { spreadLabel: "a" }),
    ...(warm !== "" && { warmNode: warm }),
  });
}

export function poolWith(name: PolicyName, steps: History): Pool {
  const pool = new Pool({ nodes, policy: name, quotas });
  for (const [i, { member: one, leaves }] of steps.entries()) {
    pool.place(requestOf(`s${i}`, one));
    if (i % 15 === 14) pool.adopt();
    if (leaves) pool.release(`s${Math.floor(i / 2)}`);
  }
  return pool;
}

/** All that the books say, but the versions of blocks, which only grow. */
export function columnsOf({ books }: Pool): Record<string, unknown> {
  return Object.fromEntries(Object.entries(books).filter(([name]) => name !== "blockVersion"));
}
