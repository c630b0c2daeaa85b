import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Arbitrary,
  array,
  assert as check,
  constant,
  constantFrom,
  integer,
  nat,
  oneof,
  property,
  record,
} from "fast-check";
import { type Handle, MemoryError, MemoryPool } from "./index.ts";

type Op =
  | { readonly type: "alloc"; readonly bytes: number }
  | { readonly type: "release" | "retain" | "stale"; readonly pick: number };

const op: Arbitrary<Op> = oneof(
  record({ type: constant("alloc" as const), bytes: integer({ min: 1, max: 40_000 }) }),
  record({
    type: constantFrom("release" as const, "retain" as const, "stale" as const),
    pick: nat(),
  }),
);

interface Live {
  readonly handle: Handle;
  readonly fill: number;
  holds: number;
}

test("whatever is taken and given back: no two live blocks share a byte, and stale handles are refused", () => {
  check(
    property(array(op, { maxLength: 200, size: "max" }), (ops) => {
      const pool = new MemoryPool({ bytesMax: 3 * 1024 ** 2, blocksMax: 100 });
      const live: Live[] = [];
      const gone: Handle[] = [];
      let fill = 0;
      for (const one of ops) {
        if (one.type === "alloc") {
          const handle = tryAlloc(pool, one.bytes);
          if (handle === undefined) continue;
          fill = (fill % 255) + 1;
          pool.holder.u8(handle).fill(fill);
          live.push({ handle, fill, holds: 1 });
        } else if (one.type === "stale") {
          const handle = gone[one.pick % Math.max(1, gone.length)];
          if (handle !== undefined)
            assert.throws(() => pool.holder.release(handle), { code: "stale_handle" });
        } else {
          const block = live[one.pick % Math.max(1, live.length)];
          if (block === undefined) continue;
          assertWhole(pool, block);
          if (one.type === "retain") pool.holder.retain(block.handle);
          else pool.holder.release(block.handle);
          block.holds += one.type === "retain" ? 1 : -1;
          if (block.holds === 0)
            gone.push(...live.splice(live.indexOf(block), 1).map(({ handle }) => handle));
        }
        assert.equal(pool.live, live.length);
      }
      for (const block of live) assertWhole(pool, block);
      assert.deepEqual(new Set(pool.held()), new Set(live.map(({ handle }) => handle)));
    }),
    { numRuns: 60 },
  );
});

function assertWhole(pool: MemoryPool, { handle, fill }: Live): void {
  assert.ok(pool.holder.u8(handle).every((byte) => byte === fill));
}

function tryAlloc(pool: MemoryPool, bytes: number): Handle | undefined {
  try {
    return pool.alloc(bytes);
  } catch (error) {
    if (error instanceof MemoryError && error.code !== "stale_handle") return undefined;
    throw error;
  }
}
