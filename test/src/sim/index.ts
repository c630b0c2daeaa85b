export { canaries, withoutRule } from "./canaries.ts";
export type { RunOptions } from "./options.ts";
export { type RunResult, run } from "./run.ts";
