import assert from "node:assert/strict";
import { test } from "node:test";
import { Crowd } from "./crowd.ts";
import { crowdRequests, requestUnits, tickUnits } from "./limits.ts";
import { Pace } from "./pace.ts";

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const perConnection = tickUnits / requestUnits;

/** A connection's pace, and what of it has begun, in the order of all. */
function openPaces() {
  const crowd = new Crowd();
  const begun: string[] = [];
  return {
    begun,
    connect: (name: string): { readonly reads: string[]; readonly take: (count?: number) => void } => {
      const reads: string[] = [];
      const pace = new Pace({ stop: () => reads.push("stop"), start: () => reads.push("start") }, crowd);
      return {
        reads,
        take: (count = 1) => {
          for (let i = 0; i < count; i += 1) pace.take(() => begun.push(name));
        },
      };
    },
  };
}

test("one request waits for one of each connection, when more come than a tick begins", async () => {
  const { begun, connect } = openPaces();
  const hostile = Array.from({ length: crowdRequests / 4 }, (_, i) => connect(`hostile ${i}`));
  for (const { take } of hostile) take(16);
  assert.equal(begun.length, crowdRequests);
  const neighbour = connect("neighbour");
  neighbour.take();
  assert.deepEqual([begun.length, neighbour.reads], [crowdRequests, ["stop"]]);
  await tick();
  assert.ok(begun.indexOf("neighbour") <= crowdRequests + hostile.length, "in its turn");
  assert.deepEqual(neighbour.reads, ["stop", "start"]);
  for (let ticks = 0; ticks < 3; ticks += 1) await tick();
  assert.equal(begun.length, 16 * hostile.length + 1);
});

test("what comes while nobody waits begins at once", async () => {
  const { begun, connect } = openPaces();
  const [a, b] = [connect("a"), connect("b")];
  for (let i = 0; i < perConnection - 1; i += 1) {
    a.take();
    b.take();
  }
  assert.equal(begun.length, 2 * (perConnection - 1));
  assert.deepEqual([a.reads, b.reads], [[], []]);
});
