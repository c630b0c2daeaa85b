// When a letter may begin that may be what ended its node (decision 31).
import { type CallId, type Failure, fail } from "../call/index.ts";
import { nodeEndsMax, nodePauseMs, retryAfterMs } from "./constants.ts";
import { callText } from "./dedupe.ts";
import type { Activation, Pass, Slice } from "./lane.ts";
import { failWork } from "./share.ts";
import { endsOf, forgetAlone, markBegin, markEnd, setAlone, stageOf, suspicionOf } from "./suspects.ts";
import type { Work } from "./work.ts";

type SentId = Extract<CallId, { type: "sent" }>;

/** Nobody runs it any more, and this node lives: whatever became of it, that is not its fault. */
export const suspectGate: Slice = {
  advance({ lane }, { suspects }) {
    for (const { id, stage } of suspects.known.values())
      if (stage === "begun" && !lane.running.has(callText(id))) markEnd(suspects, id);
    for (const call of suspects.alone.keys()) if (!lane.calls.has(call)) forgetAlone(suspects, call);
  },
};

/**
 * One that nobody suspects runs, and costs nothing. Else the lane says first that it begins. Nodes that end
 * after that count; then it waits, longer each time, and runs while no other suspect of its node does: so
 * neighbours that were under way with the one that ends nodes are not taken for it.
 */
export function admit(
  pass: Pass,
  activation: Activation,
  work: Work,
  id: SentId,
): "runs" | "waits" | "failed" {
  const { suspects, tip } = activation;
  const { storeMs } = pass.world;
  const stage = stageOf(suspects, id);
  if (stage !== undefined) return stage === "writing" ? "waits" : "runs";
  const before = suspicionOf(suspects, id);
  if (before === undefined && !work.waiters.some(({ isSuspect }) => isSuspect)) return "runs";
  const ends = before === undefined ? 0 : endsOf(before, tip.incarnation);
  if (ends >= nodeEndsMax) {
    failWork(pass, work, endsNodes(ends));
    return "failed";
  }
  const waitMs = before === undefined || ends === 0 ? 0 : before.atMs + nodePauseMs(ends) - storeMs;
  if (waitMs > 0) {
    failWork(pass, work, mustWait(ends, waitMs));
    return "failed";
  }
  if (ends > 0 && !isAlone(pass, activation, work.job.number)) return "waits";
  const { incarnation } = tip;
  markBegin(suspects, id, { ...id, ends, incarnation, atMs: Math.max(0, Math.floor(storeMs)) });
  return "waits";
}

function isAlone({ out }: Pass, { suspects }: Activation, call: number): boolean {
  const stage = suspects.alone.get(call);
  if (stage !== undefined) return stage === "granted";
  setAlone(suspects, call, "asked");
  out.push({ type: "alone", call });
  return false;
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
