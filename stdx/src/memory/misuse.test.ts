// Misuse of blocks: what does not compile, and what throws. For the first the compiler is the test: one
// that compiles leaves an unused that unused directive. The table in the README says the same.
import assert from "node:assert/strict";
import { test } from "node:test";
import { borrow, type Handle, type Loan, MemoryPool, withLoan } from "./index.ts";

function refused(pool: MemoryPool): void {
  // @ts-expect-error a loan that is returned
  withLoan(pool, 64, (loan) => loan);
  // @ts-expect-error a loan that is returned inside something
  withLoan(pool, 64, (loan) => ({ loan }));
  let kept: Loan<unknown> | undefined;
  withLoan(pool, 64, (loan) => {
    // @ts-expect-error a loan that is kept outside
    kept = loan;
  });
  withLoan(pool, 64, (loan) => {
    // @ts-expect-error a loan cannot be released by its user
    loan[Symbol.dispose]();
  });
  // @ts-expect-error a number is no handle
  pool.holder.f32(12);
  void kept;
}

test("misuse that the compiler cannot see throws when it happens", () => {
  assert.equal(typeof refused, "function");
  const pool = new MemoryPool({ bytesMax: 4 * 1024 ** 2 });
  const { holder } = pool;
  const stale = { code: "stale_handle" };

  const branch = (free: boolean, handle: Handle): Float32Array => {
    if (free) holder.release(handle);
    return holder.f32(handle);
  };
  assert.throws(() => branch(true, pool.alloc(64)), stale);

  const one = pool.alloc(64);
  const alias = one;
  holder.release(one);
  assert.throws(() => holder.f32(alias), stale);
  assert.throws(() => holder.release(alias), stale);

  const escaped = (() => {
    using block = borrow(pool, 64);
    return block;
  })();
  assert.throws(() => escaped.f32, stale);
  assert.throws(() => escaped[Symbol.dispose](), stale);
});
