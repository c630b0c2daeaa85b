// How an activation begins and ends. Dropping memory is always safe: whatever is not in the lane never happened.
import { corruptLane, failCall, failWork, requeue, unknownOutcome, workerLost } from "./calls.ts";
import type { Activation, Step, Work } from "./lane.ts";
import type { Base } from "./replay.ts";
import type { ColdReason } from "./types.ts";

export function open(step: Step, base: Base, pages: readonly Uint8Array[]): void {
  const { lane, world, out } = step;
  const fold = base.fold?.record;
  const activation: Activation = {
    number: world.unique(),
    incarnation: world.incarnation,
    claim: "held",
    wantsClaim: false,
    epoch: base.epoch + 1,
    uid: base.uid ?? world.birth(),
    born: base.uid === undefined,
    expect: base.expect,
    tip: base.tip,
    prev: base.prev,
    n: base.n,
    from: base.from,
    verified: true,
    lookAgainAtMs: 0,
    look: undefined,
    jobs: new Map(),
    executed: 0,
    accepted: 0,
    pending: [],
    gate: [],
    flight: undefined,
    dedupe: base.dedupe,
    fold: { stage: "none" },
    lastFold: base.fold && {
      seq: base.fold.seq,
      covers: base.fold.record.covers,
      wallMs: base.fold.record.wallMs,
    },
    table: fold?.table ?? [],
    nextPage: 0,
    trim: fold?.trim,
    retired: fold?.retired ?? [],
    tailRecords: base.tailRecords,
    tailBytes: base.tailBytes,
    closing: undefined,
    orders: [],
  };
  lane.waking = undefined;
  lane.unreachable = undefined;
  lane.activation = activation;
  if (base.voids > 0) {
    const message = `${base.voids} records before sequence ${base.expect} do not link: a writer that had lost data`;
    out.push({ type: "alarm", alarm: "void_record", message });
  }
  out.push({
    type: "open",
    activation: activation.number,
    epoch: activation.epoch,
    image: { pages, deltas: base.deltas },
  });
}

/**
 * What the memory held is void: its calls run again, wherever the session is then. A call without an id whose record may be in the
 * lane does not: nobody could tell that it ran. Nor does one that ran in a worker which is `lost`, unless it is a reader: what its
 * handler did elsewhere would be done twice, and only the caller knows whether that may be.
 */
export function drop(
  step: Step,
  activation: Activation,
  why: ColdReason,
  outcome: "nothing" | "unknown" | { readonly begun: ReadonlySet<number> },
): void {
  const { lane, out } = step;
  const doubtful = outcome === "nothing" ? [] : (activation.flight?.turns ?? []).map((turn) => turn.work);
  const begun = typeof outcome === "object" ? outcome.begun : undefined;
  const hasRun = ({ stage, job }: Work): boolean =>
    begun !== undefined && !job.readonly && (stage === "executed" || begun.has(job.call));
  lane.activation = undefined;
  const again: Work[] = [];
  for (const work of activation.jobs.values()) {
    if (work.key === undefined && doubtful.includes(work)) failWork(step, work, unknownOutcome());
    else if (hasRun(work)) failWork(step, work, workerLost());
    else again.push(work);
  }
  requeue(lane, again);
  lane.controls = [...activation.orders, ...lane.controls];
  out.push({ type: "close", activation: activation.number });
  out.push({ type: "cold", why });
}

/** The lane cannot be read: nobody is served. */
export function giveUpCorrupt(step: Step, why: string): void {
  const { lane, out } = step;
  out.push({ type: "alarm", alarm: "corrupt", message: why });
  if (lane.activation !== undefined) drop(step, lane.activation, "dropped", "unknown");
  lane.waking = undefined;
  const { queue, controls } = lane;
  lane.queue = [];
  lane.controls = [];
  for (const work of queue) failWork(step, work, corruptLane(why));
  for (const control of controls) failCall(step, control.call.call, corruptLane(why));
  out.push({ type: "cold", why: "dropped" });
}
