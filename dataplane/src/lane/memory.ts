// How an activation ends. Dropping memory is always safe: whatever is not in the lane never happened.
import type { SessionName } from "@voda/proto/name";
import { UnsupportedFormatError } from "@voda/state";
import { DecodeError } from "@voda/stdx";
import type { Failure } from "../call/index.ts";
import { dropAsks } from "./ask-gate.ts";
import { type Activation, isQuiet, type Pass, type Slice } from "./lane.ts";
import { takeOrders } from "./orders.ts";
import { owedBy } from "./outbox.ts";
import { type DecodedRecord, decodeStored } from "./replay.ts";
import {
  corruptLane,
  failCall,
  failWork,
  laterFormat,
  lostRecords,
  requeue,
  storeFull,
  unknownOutcome,
  workerLost,
} from "./share.ts";
import { takeJob } from "./turns.ts";
import type { ColdReason, StoredRecord } from "./types.ts";
import type { Work } from "./work.ts";

/**
 * After everything else: a session that is only held, or that is not born, has nothing to release, its memory
 * goes.
 */
export const memory: Slice = {
  advance(pass, activation) {
    const { orders, tip } = activation;
    const ends = tip.claim === "unborn" || (tip.claim === "held" && orders.closing === "sleep");
    if (ends && isQuiet(activation)) drop(pass, activation, "dropped", "nothing");
  },
};

/**
 * What the memory held is void: its calls run again, wherever the session is then. A call without an id whose
 * record may be in the lane, or that has asked something of others, does not: nobody could tell that it ran.
 * Nor does one that had `begun` in a worker which is lost, unless it is a reader: what its handler did
 * elsewhere would be done twice, and only the caller knows whether that may be.
 */
export function drop(
  pass: Pass,
  activation: Activation,
  why: ColdReason,
  outcome: "nothing" | "unknown" | { readonly begun: Pick<ReadonlySet<number>, "has"> },
): void {
  const { lane, out } = pass;
  const { append, asks, turns, orders, outbox } = activation;
  const doubtful = outcome === "nothing" ? [] : (append.flight?.turns ?? []).map((turn) => turn.work);
  const begun = typeof outcome === "object" ? outcome.begun : undefined;
  const hasRun = ({ stage, job }: Work): boolean =>
    begun !== undefined && !job.readonly && (stage === "executed" || begun.has(job.number));
  lane.activation = undefined;
  if (why === "dropped") lane.owed = owedBy(outbox);
  dropAsks(pass, activation);
  const requeued: Work[] = [];
  for (const work of turns.jobs.values()) {
    const isDoubtful = doubtful.includes(work);
    if (work.key === undefined && (isDoubtful || asks.left.has(work))) failWork(pass, work, unknownOutcome());
    else if (hasRun(work)) failWork(pass, work, workerLost(isDoubtful));
    else {
      if (begun?.has(work.job.number) === false && work.stage === "running") work.starts -= 1;
      requeued.push(work);
    }
  }
  requeue(lane, requeued);
  const taken = [...orders.waiting, ...(append.flight?.seals ?? [])];
  lane.controls = [...taken.map((order) => ({ ...order, mayHaveBegun: true })), ...lane.controls];
  out.push({ type: "close", activation: activation.number });
  out.push({ type: "cold", why });
}

/**
 * The store is full, and nothing of what turns changed and sent is in it, or will be. Everybody who waits for
 * it hears that at once; what is in memory goes.
 */
export function takeNothing(pass: Pass, activation: Activation, why: string): void {
  const { turns, orders, tip } = activation;
  // by our own last record, or because nothing came after it since
  const isOurs = tip.claim === "owner" || tip.readable;
  for (const [call, work] of turns.jobs) {
    // readers store nothing: they run again on what the lane holds
    if (isOurs && work.job.readonly && work.stage !== "executed") continue;
    takeJob(turns, call);
    failWork(pass, work, storeFull(why));
  }
  for (const { number } of takeOrders(orders, () => true)) failCall(pass, number, storeFull(why));
  if (isOurs) pass.lane.keptTip = { incarnation: tip.incarnation, rid: tip.rid };
  drop(pass, activation, "dropped", "nothing");
}

const failures = {
  corrupt: corruptLane,
  data_loss: lostRecords,
  unsupported_format: (_name: SessionName, why: string) => laterFormat(why),
};

/** The lane cannot be read: nobody is served. */
export function giveUp(pass: Pass, incident: keyof typeof failures, why: string): void {
  const { lane, out } = pass;
  const failure = failures[incident](lane.name, why);
  out.push({ type: "incident", incident, message: why });
  if (lane.activation !== undefined) drop(pass, lane.activation, "dropped", "unknown");
  lane.waking = undefined;
  lane.owed = undefined;
  failWaiting(pass, failure);
  out.push({ type: "cold", why: "dropped" });
}

/** Nobody who waits will be served. */
export function failWaiting(pass: Pass, failure: Failure): void {
  const { lane } = pass;
  const { queue, controls } = lane;
  lane.queue = [];
  lane.controls = [];
  for (const work of queue) failWork(pass, work, failure);
  for (const control of controls) failCall(pass, control.number, failure);
}

/** A record of the lane; one that cannot be read ends every use of it. */
export function readStored(pass: Pass, stored: StoredRecord): DecodedRecord | "unreadable" {
  const { crc32, hash } = pass.lane;
  try {
    return decodeStored(stored, crc32, hash);
  } catch (error) {
    const isLater = error instanceof UnsupportedFormatError;
    if (!isLater && !(error instanceof DecodeError)) throw error;
    giveUp(
      pass,
      isLater ? "unsupported_format" : "corrupt",
      `record at sequence ${stored.seq}: ${error.message}`,
    );
    return "unreadable";
  }
}
