// A rule that is broken on purpose.
import type { Patch } from "../patch/patch.ts";
import type { RunOptions } from "./options.ts";

export interface Canary {
  /** How the rule is broken. */
  readonly patches: readonly Patch[];
  /** What goes wrong without the rule; a run that ends in anything else says nothing about it. */
  readonly finds: RegExp;
  /** What schedules must have so that the rule matters in them. */
  readonly options: Pick<RunOptions, "faults" | "plan">;
}

/** Breaks a file of the lane. */
export const lane = (file: string, find: string, replace: string): Patch => ({
  file: `dataplane/src/lane/${file}.ts`,
  find,
  replace,
});
