// Rules of letters that may end their node (decision 31), broken one at a time.
import { type Canary, lane, noFaults } from "./canary.ts";

export const suspectCanaries: Readonly<Record<string, Canary>> = {
  /** A letter that may have ended its node is begun in a record before it begins. */
  suspectsBeginInRecords: {
    patches: [lane("suspect-gate", "if (before === undefined && !work", "if (before === undefined || !work")],
    finds: /^endless: /,
    options: { plan: { sends: 2, killers: 1 }, faults: { ...noFaults } },
  },
  /** A node that is closed in order was ended by nothing that ran there. */
  closedIsNoEnd: {
    patches: [lane("suspects", "world.wasClosed(incarnation) && closes", "false && closes")],
    finds: /^given up: /,
    options: { plan: { sends: 2, closings: 1 }, faults: { ...noFaults } },
  },
  /** One that waits for the record with its mark begins when that lies in the lane. */
  marksAreHeard: {
    patches: [lane("suspects", 'one?.stage === "writing" && one.id.n', 'one?.stage === "begun" && one.id.n')],
    finds: /^not done/,
    options: { plan: { sends: 2, killers: 1 }, faults: { ...noFaults } },
  },
};
