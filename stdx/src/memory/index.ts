export { Block, borrow, type Loan, withLoan } from "./block.ts";
export { MemoryError, type MemoryErrorCode } from "./errors.ts";
export type { Handle } from "./handle.ts";
export { Holder } from "./holder.ts";
export { MemoryPool, type PoolOptions } from "./pool.ts";
