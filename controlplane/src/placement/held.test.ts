import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, fraction, node, none, whole } from "../../test/node-specs.ts";
import { cutToFit, heldOn, inTheWayOf } from "./held.ts";
import { Pool } from "./pool.ts";
import type { PoolRequest } from "./request.ts";
import type { DeviceShare } from "./resources.ts";

const wholeOf = (uuid: string): DeviceShare => ({ uuid, whole: true, milli: 1000, memoryMib: 81_920 });

/** Sessions that stand in the way of one that the node tells of. */
function inTheWay(pool: Pool, request: PoolRequest, ...shares: DeviceShare[]): string[] {
  const held = heldOn(pool, 0, { request, shares });
  return Array.from(inTheWayOf(pool, held), (one) => one.request.session);
}

test("only sessions that have some of what is short stand in the way", () => {
  const pool = new Pool({ nodes: [node("n", { cores: 4, gib: 64, gpus: 2 })] });
  pool.place(ask("cpu", none, { cores: 4, gib: 0 }));
  pool.place(ask("gpu", whole(1), { cores: 0, gib: 0 }));
  const device = pool.devicesOf(pool.sessions.get("gpu") ?? assert.fail())[0]?.uuid ?? "";
  assert.deepEqual(inTheWay(pool, ask("a", none, { cores: 1, gib: 0 })), ["cpu"]);
  assert.deepEqual(inTheWay(pool, ask("b", none, { cores: 0, gib: 64 })), ["cpu", "gpu"]);
  assert.deepEqual(inTheWay(pool, ask("c", none, { cores: 0, gib: 0 }), wholeOf(device)), ["gpu"]);
  const free = device === "n-0" ? "n-1" : "n-0";
  assert.deepEqual(inTheWay(pool, ask("d", none, { cores: 0, gib: 0 }), wholeOf(free)), []);
});

test("what is told of a session that has no room is cut to the room there is", () => {
  const pool = new Pool({ nodes: [node("n", { cores: 4, gib: 8, gpus: 2 })] });
  pool.place(ask("a", fraction(500), { cores: 3, gib: 6 }));
  const [taken, free] = pool.sessions.get("a")?.mask === 1 ? ["n-0", "n-1"] : ["n-1", "n-0"];
  const request = ask("b", none, { cores: 2, gib: 4 });
  const { kind, mask } = cutToFit(
    pool,
    heldOn(pool, 0, { request, shares: [wholeOf(taken), wholeOf(free)] }),
  );
  assert.deepEqual([kind.cpuMilli, kind.memoryMib, kind.gpuCount], [1000, 2048, 1]);
  assert.equal(mask, free === "n-0" ? 1 : 2);
});

test("shares that nobody was ever given are left off", () => {
  const pool = new Pool({ nodes: [node("n", { gpus: 2 })] });
  const shares = [wholeOf("n-0"), wholeOf("n-0"), wholeOf("other")];
  const { kind, mask } = heldOn(pool, 0, { request: ask("a", none), shares });
  assert.deepEqual([kind.gpuCount, mask], [1, 1]);
});
