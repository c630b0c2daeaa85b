// A rule that is broken on purpose.
import type { Patch } from "../patch/patch.ts";
import type { Faults, RunOptions } from "./options.ts";

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

export const noFaults: Faults = {
  crashes: 0,
  pauses: 0,
  suspensions: 0,
  clockSteps: 0,
  disconnects: 0,
  workerLosses: 0,
  storeRestarts: 0,
  powerLosses: 0,
  fills: 0,
  lost: 0,
  doubled: 0,
  slow: 0,
  staleReads: 0,
  busyRefusals: 0,
};
