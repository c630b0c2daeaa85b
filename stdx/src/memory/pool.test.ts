import assert from "node:assert/strict";
import { test } from "node:test";
import { borrow, type Handle, Holder, MemoryError, MemoryPool, withLoan } from "./index.ts";

const mib = 1024 ** 2;
const small = (): MemoryPool => new MemoryPool({ bytesMax: 4 * mib, blocksMax: 64 });

/** The code of the MemoryError that `act` throws. */
function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof MemoryError) return error.code;
    throw error;
  }
  return "none";
}

test("a block has what was asked for, is aligned, and no two overlap", () => {
  const pool = small();
  const sizes = [1, 63, 64, 65, 4096, 5000, 100_000];
  const blocks = sizes.map((bytes) => pool.alloc(bytes));
  for (const [i, handle] of blocks.entries()) {
    assert.equal(pool.holder.u8(handle).length, sizes[i]);
    assert.equal(pool.holder.offset(handle) % 64, 0);
    pool.holder.u8(handle).fill(i + 1);
  }
  for (const [i, handle] of blocks.entries())
    assert.ok(pool.holder.u8(handle).every((byte) => byte === i + 1));
});

test("released memory is used again under another handle, and the old one is refused", () => {
  const pool = small();
  const first = pool.alloc(4096);
  const at = pool.holder.offset(first);
  pool.holder.release(first);
  const second = pool.alloc(3000);
  assert.equal(pool.holder.offset(second), at);
  assert.notEqual(second, first);
  for (const use of [
    () => pool.holder.f32(first),
    () => pool.holder.i32(first),
    () => pool.holder.u8(first),
    () => pool.holder.bytes(first),
    () => pool.holder.offset(first),
    () => pool.holder.retain(first),
    () => pool.holder.lend(first, 1),
  ])
    assert.equal(codeOf(use), "stale_handle");
  assert.equal(pool.holder.bytes(second), 3000);
});

test("a double free throws and frees nothing", () => {
  const pool = small();
  const first = pool.alloc(64);
  pool.holder.release(first);
  const second = pool.alloc(64);
  assert.equal(
    codeOf(() => pool.holder.release(first)),
    "stale_handle",
  );
  assert.equal(pool.holder.u8(second).length, 64);
  assert.equal(pool.live, 1);
});

test("a block lives until its last hold is given back", () => {
  const pool = small();
  const handle = pool.alloc(64);
  pool.holder.retain(handle);
  pool.holder.release(handle);
  assert.equal(pool.holder.u8(handle).length, 64);
  pool.holder.release(handle);
  assert.deepEqual([pool.live, codeOf(() => pool.holder.release(handle))], [0, "stale_handle"]);
});

test("bounds are errors that name value and limit", () => {
  const pool = new MemoryPool({ bytesMax: 2 * mib, blocksMax: 4 });
  assert.throws(() => pool.alloc(4 * mib), /a block of 4194304 bytes does not fit: .* of bytesMax 2097152/);
  for (let i = 0; i < 4; i += 1) pool.alloc(64);
  assert.throws(() => pool.alloc(64), /blocksMax 4 are in use/);
  for (const bytes of [0, -1, 1.5, Number.NaN, 2 ** 31 + 1])
    assert.equal(
      codeOf(() => pool.alloc(bytes)),
      "bad_size",
      `${bytes}`,
    );
  assert.equal(
    codeOf(() => new MemoryPool({ bytesMax: 64 })),
    "bad_size",
  );
  assert.equal(
    codeOf(() => new MemoryPool({ bytesMax: mib, blocksMax: 2 ** 21 })),
    "bad_size",
  );
  assert.equal(
    codeOf(() => new Holder(pool.memory, 31)),
    "bad_thread",
  );
  assert.equal(
    codeOf(() => new Holder(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }), 1)),
    "bad_size",
  );
});

test("what failed to fit leaves the pool as it was", () => {
  const pool = new MemoryPool({ bytesMax: 2 * mib, blocksMax: 64 });
  const handle = pool.alloc(mib);
  assert.equal(
    codeOf(() => pool.alloc(mib)),
    "out_of_memory",
  );
  pool.holder.release(handle);
  assert.equal(pool.holder.bytes(pool.alloc(mib)), mib);
});

test("views taken before the memory grew still see their block", () => {
  const pool = new MemoryPool({ bytesMax: 64 * mib });
  const handle = pool.alloc(4096);
  const view = pool.holder.f32(handle);
  pool.alloc(32 * mib);
  view[7] = 7;
  assert.equal(new Float32Array(pool.memory.buffer, pool.holder.offset(handle), 8)[7], 7);
});

test("generations do not wrap: a number that ran out of them is not used again", () => {
  const pool = small();
  const { generations } = pool.holder.tables;
  pool.holder.release(pool.alloc(64));
  generations[0] = 2 ** 32 - 3;
  const seen = new Set<Handle>();
  for (let i = 0; i < 4; i += 1) {
    const handle = pool.alloc(64);
    assert.ok(!seen.has(handle));
    seen.add(handle);
    pool.holder.release(handle);
  }
  assert.equal(generations[0], 2 ** 32 - 1);
});

test("a thread that was lent a block keeps it alive, and its death gives it back", () => {
  const pool = small();
  const other = new Holder(pool.memory, 1);
  const handle = pool.alloc(64);
  assert.equal(
    codeOf(() => other.adopt(handle)),
    "stale_handle",
  );
  pool.holder.lend(handle, 1);
  other.adopt(handle);
  other.f32(handle)[0] = 4;
  pool.holder.release(handle);
  assert.equal(
    codeOf(() => pool.holder.f32(handle)),
    "stale_handle",
  );
  assert.deepEqual([other.f32(handle)[0], pool.live, pool.sweep()], [4, 1, 0]);
  assert.deepEqual([pool.reclaim(1), pool.live, pool.held()], [1, 0, []]);
});

test("a block whose last holder was another thread comes back with a sweep", () => {
  const pool = small();
  const other = new Holder(pool.memory, 3);
  const handle = pool.alloc(64);
  pool.holder.lend(handle, 3);
  other.adopt(handle);
  other.retain(handle);
  pool.holder.release(handle);
  other.release(handle);
  assert.equal(other.u8(handle).length, 64);
  other.release(handle);
  assert.deepEqual([pool.held(), pool.sweep(), pool.held()], [[handle], 1, []]);
  assert.equal(
    codeOf(() => other.adopt(handle)),
    "stale_handle",
  );
});

test("a scope or a loan ends its block, also when it throws", () => {
  const pool = small();
  {
    using block = borrow(pool, 64);
    block.f32[0] = 1;
    assert.equal(pool.live, 1);
  }
  assert.equal(
    withLoan(pool, 64, (loan) => loan.f32.length),
    16,
  );
  assert.throws(
    () =>
      withLoan(pool, 64, () => {
        throw new RangeError("in the middle");
      }),
    RangeError,
  );
  assert.equal(pool.live, 0);
});
