import type { CallHead } from "../call/index.ts";

/** One execution of a call, and everybody who waits for it: calls with the same id share it. */
export interface Work {
  readonly key: string | undefined;
  /** Under this call it is at the worker. */
  job: CallHead;
  waiters: CallHead[];
  /** Waiters whose callers went away. */
  gone: Set<number> | undefined;
  stage: "queued" | "running" | "executed";
  /** Times that it may have begun in a worker, here or before it came, under any of those who wait for it. */
  starts: number;
  /** Counted against the pipeline. */
  bytes: number;
}
