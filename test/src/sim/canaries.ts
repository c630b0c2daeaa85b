// Rules of PROTOCOL.md that are turned off one at a time: the simulator must find what goes wrong without them.
import { allRules, type Rules } from "../../../dataplane/src/lane/index.ts";
import { allWorldRules, type RunOptions, type WorldRules } from "./options.ts";

/** What schedules must have so that the rule matters in them. */
export const canaries: Readonly<Record<keyof Rules | keyof WorldRules, Pick<RunOptions, "faults" | "plan">>> =
  {
    keepLastRecord: {},
    answerAfterCommit: {},
    gateReads: {},
    claimNeedsEndedLease: {},
    releaseEndsAtSend: { faults: { lost: 0.1, slow: 0.2 }, plan: { reads: 8, sleeps: 5 } },
    claimAfterReturn: { faults: { pauses: 4, disconnects: 3 }, plan: { reads: 8 } },
    decideByAppend: { faults: { doubled: 0.2, slow: 0.2, busyRefusals: 0.3 }, plan: { unkeyed: 8 } },
    cutDiesWithMemory: { plan: { reads: 8 } },
    dedupeInState: {},
    joinSameId: {},
    dropPipelineWhenFenced: {},
    verifyAfterReconnect: { faults: { powerLosses: 2 } },
    trimLagsSync: { faults: { powerLosses: 2 } },
    absolutePurge: {},
    leaseByClock: { faults: { pauses: 6, lost: 0 }, plan: { writes: 12, reads: 12 } },
    newIncarnation: { faults: { crashes: 4, slow: 0.2 } },
    newIncarnationAfterExpiry: { faults: { pauses: 4, disconnects: 3 }, plan: { reads: 8 } },
    dropBuffersOnReconnect: { faults: { powerLosses: 3, slow: 0.5, lost: 0 }, plan: { writes: 12 } },
  };

/** Options of schedules that run without a rule. */
export function withoutRule(rule: string): Omit<RunOptions, "seed"> {
  const off = { [rule]: false };
  if (isRuleOfLane(rule)) return { ...canaries[rule], rules: off };
  if (isRuleOfWorld(rule)) return { ...canaries[rule], worldRules: off };
  throw new RangeError(`no rule ${rule}; known are ${Object.keys(canaries).join(", ")}`);
}

const isRuleOfLane = (rule: string): rule is keyof Rules => rule in allRules;
const isRuleOfWorld = (rule: string): rule is keyof WorldRules => rule in allWorldRules;
