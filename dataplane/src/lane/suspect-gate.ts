// When a letter may begin that may be what ended its node (decision 31).
import { type Failure, fail, type SentId } from "../call/index.ts";
import { nodeEndsMax, nodePauseMs, retryAfterMs } from "./constants.ts";
import { callText } from "./dedupe.ts";
import type { Activation, Pass, Slice } from "./lane.ts";
import { failWork } from "./share.ts";
import {
  askAlone,
  endActive,
  endAlone,
  isFull,
  markBegin,
  stageOf,
  suspicionOf,
  type Tally,
  tallyOf,
} from "./suspects.ts";
import type { Work } from "./work.ts";

/** Those that run no more: others may begin then, and this node lives. */
export const suspectGate: Slice = {
  advance({ lane, out }, { suspects, tip }) {
    for (const one of suspects.active.values()) {
      const work = lane.running.get(callText(one.id));
      if (one.alone !== undefined && (work === undefined || work.stage === "executed")) {
        out.push({ type: "endAlone", call: one.alone });
        endAlone(suspects, one);
      }
      if (work === undefined) endActive(suspects, one, tip.incarnation);
    }
  },
};

/**
 * One that nobody suspects runs, and costs nothing. Else the lane says first that it begins. Nodes that end
 * after that count; then it waits, longer each time, and begins while no other suspect of its node runs: so
 * neighbours that were under way with the one that ends nodes are not taken for it.
 */
export function admit(
  pass: Pass,
  activation: Activation,
  work: Work,
  id: SentId,
): "runs" | "waits" | "failed" {
  const { suspects } = activation;
  const stage = stageOf(suspects, id);
  if (stage === "begun" || stage === "ended") return "runs";
  if (stage === "writing" || stage === "asked") return "waits";
  const before = suspicionOf(suspects, id);
  if (before === undefined && !work.waiters.some(({ isSuspect }) => isSuspect)) return "runs";
  const tally = before === undefined ? nothing : tallyOf(before, pass.world);
  const { ends } = tally;
  const waitMs =
    before === undefined || ends === 0 ? 0 : before.atMs + nodePauseMs(ends) - pass.world.storeMs;
  if (ends >= nodeEndsMax || waitMs > 0) {
    failWork(pass, work, ends >= nodeEndsMax ? endsNodes(ends) : mustWait(ends, waitMs));
    return "failed";
  }
  begin(pass, activation, { id, tally, call: stage === undefined ? work.job.number : undefined });
  return "waits";
}

const nothing: Tally = { ends: 0, closes: 0 };

/** `call`: the one that asks to run alone, unless it may. */
function begin(
  { out, world }: Pass,
  { number, suspects, tip: { incarnation } }: Activation,
  { id, tally, call }: { readonly id: SentId; readonly tally: Tally; readonly call: number | undefined },
): void {
  if (tally.ends > 0 && call !== undefined) {
    askAlone(suspects, id, call);
    out.push({ type: "alone", activation: number, call });
  } else if (!isFull(suspects)) {
    // else it begins with the record after the next one
    const { source, n } = id;
    const atMs = Math.max(0, Math.floor(world.storeMs));
    markBegin(suspects, id, { source, n, ...tally, incarnation, atMs });
  }
}

const endsNodes = (ends: number): Failure =>
  fail("internal", `nodes have ended under the handler ${ends} times, with nodeEndsMax ${nodeEndsMax}`, {
    by: "node",
  }).failure;
/** The sender asks again, and does not count it. */
const mustWait = (ends: number, waitMs: number): Failure =>
  fail("busy", `nodes have ended under the handler ${ends} times: it waits for ${Math.ceil(waitMs)} ms`, {
    retryAfterMs,
  }).failure;
