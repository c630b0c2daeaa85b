// What a benchmark of `voda bench` is, and the list of them.

export interface BenchFlag {
  /** Without dashes: `edits-per-call`. */
  readonly name: string;
  readonly kind: "whole" | "text";
  readonly description: string;
  /** Left out: the flag must be given. */
  readonly default?: number | string;
}

export type BenchValues = Readonly<Record<string, number | string>>;

export interface BenchRun {
  /** Every flag of the bench by its name. */
  readonly values: BenchValues;
  /** URL of a running mesh; undefined: the bench starts its own. */
  readonly url: string | undefined;
  /** Tells people how far it is; never part of the result. */
  readonly say: (line: string) => void;
}

export interface Bench {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly BenchFlag[];
  /** The figures, by name; the run fails by throwing. */
  readonly run: (run: BenchRun) => Promise<Readonly<Record<string, number | string | boolean>>>;
}

export const benches: readonly Bench[] = [];
