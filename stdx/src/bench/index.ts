// Benchmarks: what one is, and the program that runs them.
export {
  type Bench,
  BenchError,
  type BenchFlag,
  type BenchResult,
  type BenchRun,
  type BenchValues,
  decimal,
  distinct,
  listOf,
  progressReporter,
  seedsOf,
  text,
  whole,
} from "./bench.ts";
export { failureMark, runBenches } from "./program.ts";
export { median, quantile } from "./quantile.ts";
