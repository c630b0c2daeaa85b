// One step of a lane: what happened is noted, then everything that is possible now is done.
import { assert } from "@voda/stdx";
import type { Failure } from "../invocation.ts";
import type { TurnMessage } from "../turn/types.ts";
import { abandon, arrive, dispatch, dropped, failCall, failWork } from "./calls.ts";
import { advanceAppend, advanceFlight, committed } from "./commit.ts";
import { advanceFold, cutTaken, isQuiet, pagesFailed, pagesWritten } from "./fold.ts";
import { openGate } from "./gate.ts";
import type { Activation, Lane, Step } from "./lane.ts";
import { drop } from "./memory.ts";
import { advanceVerify, lastSeen, lookFailed, lookOf, rangeSeen, refused } from "./settle.ts";
import type { Call, CallKind, Incarnation, LaneEffect, LaneEvent, World } from "./types.ts";
import { advanceWake, lastRead, pagesRead, pauseWake, rangeRead } from "./wake.ts";

export function stepLane(lane: Lane, event: LaneEvent, world: World): LaneEffect[] {
  const at: Step = { lane, world, out: [] };
  if (lane.activation !== undefined) returnUnderNewIncarnation(at, lane.activation);
  note(at, event);
  advance(at);
  return at.out;
}

/** The order matters: orders close the session before calls run, and the gate opens before the next append. */
function advance(at: Step): void {
  const { activation } = at.lane;
  if (activation !== undefined) {
    if (at.lane.controls.length > 0) obey(at, activation);
    advanceVerify(at, activation);
    dispatch(at, activation);
    openGate(at, activation);
    advanceFold(at, activation);
    advanceAppend(at, activation);
    advanceFlight(at, activation);
    if (at.lane.activation === activation) forget(at, activation);
  }
  advanceWake(at);
}

function note(at: Step, event: LaneEvent): void {
  const { lane } = at;
  switch (event.type) {
    case "invoke":
      return arrive(at, event.call);
    case "control":
      lane.controls.push({ action: event.action, call: event.call });
      return;
    case "abandon":
      return abandon(at, event.call, event.why);
    case "sleep":
      if (lane.activation !== undefined) lane.activation.closing ??= "sleep";
      return;
    case "connection":
      return noteConnection(at, event.up);
    case "leases":
      if (lane.waking?.stage === "pause") lane.waking = undefined;
      return;
    case "undelivered":
      return undelivered(at, event.kind, event.call, event.incarnation);
    case "timer":
      if (event.timer === "append") lane.appendTimerMs = Number.POSITIVE_INFINITY;
      return;
    case "appended":
    case "refused":
    case "last":
    case "range":
    case "pages":
    case "pages_written":
    case "store_failed":
      return noteReply(at, event);
    case "turned":
    case "failed":
    case "read":
    case "dropped":
    case "cut":
    case "open_failed":
    case "worker_lost":
      return noteWorker(at, event);
  }
}

type Reply = Extract<LaneEvent, { token: number }>;
function noteReply(at: Step, event: Reply): void {
  if (at.lane.activation === undefined) noteWakeReply(at, event);
  else noteActivationReply(at, at.lane.activation, event);
}

function noteWakeReply(at: Step, event: Reply): void {
  const { waking } = at.lane;
  // replies to what was asked before memory was dropped say nothing any more
  if (waking === undefined || waking.stage === "pause" || waking.token !== event.token) return;
  if (event.type === "store_failed") pauseWake(at, waking.attempts);
  else if (event.type === "last" && waking.stage === "last") lastRead(at, waking, event.record);
  else if (event.type === "range" && waking.stage === "range") rangeRead(at, waking, event.records);
  else if (event.type === "pages" && waking.stage === "pages") pagesRead(at, waking, event.pages);
}

function noteActivationReply(at: Step, activation: Activation, event: Reply): void {
  const { flight, fold } = activation;
  if (flight?.token === event.token) {
    if (event.type === "appended") {
      activation.look = undefined;
      committed(at, activation, flight, event.seq);
    } else if (event.type === "refused") {
      refused(at, activation);
    }
    return;
  }
  if (fold.stage === "writing" && fold.token === event.token) {
    if (event.type === "pages_written") pagesWritten(activation, event.token);
    else if (event.type === "store_failed") pagesFailed(at, activation);
    return;
  }
  const look = lookOf(activation, event);
  if (look === undefined) return;
  if (event.type === "last" && look.stage === "last") lastSeen(at, activation, look, event.record);
  else if (event.type === "range" && look.stage === "range") rangeSeen(at, activation, event.records);
  else if (event.type === "store_failed") lookFailed(at, activation);
}

type FromWorker = TurnMessage | Extract<LaneEvent, { type: "cut" | "open_failed" | "worker_lost" }>;
function noteWorker(at: Step, event: FromWorker): void {
  const { lane } = at;
  const { activation } = lane;
  // what a dropped memory still says is void
  if (activation === undefined || activation.number !== event.activation) return;
  switch (event.type) {
    case "turned":
      return turned(at, activation, event);
    case "failed":
    case "read": {
      const work = activation.jobs.get(event.call);
      assert(work !== undefined, `worker answers call ${event.call}, which it does not have`);
      work.stage = "executed";
      // what a failed turn saw may be old news for a call that comes later: that one runs for itself
      if (work.key !== undefined && lane.running.get(work.key) === work) lane.running.delete(work.key);
      activation.gate.push({ work, after: event.after, answer: event.answer });
      activation.wantsClaim ||= activation.claim === "held";
      return;
    }
    case "dropped":
      return dropped(at, activation, event.call, event.why);
    case "cut":
      return cutTaken(activation, event);
    case "open_failed":
      return refuseAll(at, activation, event.failure);
    case "worker_lost":
      return drop(at, activation, "dropped", event);
  }
}

function turned({ lane }: Step, activation: Activation, event: TurnMessage & { type: "turned" }): void {
  const { call, turn, delta, answer } = event;
  const work = activation.jobs.get(call);
  assert(work !== undefined, `worker ran call ${call}, which it does not have`);
  assert(turn === activation.executed + 1, `turn ${turn} after turn ${activation.executed}`);
  activation.executed = turn;
  work.stage = "executed";
  work.bytes += delta.length + answer.length;
  lane.workBytes += delta.length + answer.length;
  activation.pending.push({ turn, work, delta, answer });
}

/** Sessions of a node whose lease ended stay in memory, and claim again before they answer a read. */
function returnUnderNewIncarnation(at: Step, activation: Activation): void {
  const { incarnation } = at.world;
  if (activation.incarnation === incarnation) return;
  activation.incarnation = incarnation;
  activation.epoch += 1;
  if (activation.claim !== "owner") return;
  activation.claim = "held";
  activation.wantsClaim = activation.gate.length > 0;
}

function noteConnection(at: Step, up: boolean): void {
  const { lane, world } = at;
  const { activation } = lane;
  lane.connected = up;
  if (lane.waking !== undefined) lane.waking = undefined;
  if (up || activation === undefined) return;
  activation.verified = false;
  activation.look = undefined;
  activation.lookAgainAtMs = 0;
  if (activation.flight !== undefined) activation.flight.settling = true;
  if (activation.fold.stage === "writing")
    activation.fold = { stage: "cut", cut: activation.fold.cut, retryAtMs: world.monotonicMs };
}

/** The other node did not get it: the call waits here until that node answers or its lease has ended. */
function undelivered(at: Step, kind: CallKind, call: Call, incarnation: Incarnation): void {
  const { lane, world } = at;
  if (world.standing(incarnation).type === "living") lane.unreachable = incarnation;
  if (kind === "invoke") arrive(at, call);
  else lane.controls.push({ action: kind, call });
  if (lane.activation === undefined && lane.waking === undefined) pauseWake(at, 0);
}

/** Orders for a session in memory. */
function obey(at: Step, activation: Activation): void {
  const { lane, out } = at;
  const later: typeof lane.controls = [];
  for (const control of lane.controls) {
    if (activation.claim === "released" || (control.action === "wake" && activation.closing !== undefined)) {
      later.push(control);
    } else if (control.action === "wake" && activation.claim === "owner") {
      out.push({ type: "done", call: control.call.call });
    } else {
      activation.orders.push(control);
      if (control.action === "wake") activation.wantsClaim = true;
      else endNow(activation);
    }
  }
  lane.controls = later;
}

function endNow(activation: Activation): void {
  activation.closing = "end";
  activation.fold = { stage: "none" };
}

/** A session that is only held has nothing to release: its memory goes. */
function forget(at: Step, activation: Activation): void {
  if (activation.closing !== "sleep" || activation.claim !== "held" || !isQuiet(activation)) return;
  drop(at, activation, "dropped", "nothing");
}

/** There is nothing here that could run the session's calls. */
function refuseAll(at: Step, activation: Activation, failure: Failure): void {
  drop(at, activation, "dropped", "unknown");
  const { lane } = at;
  const { queue, controls } = lane;
  lane.queue = [];
  lane.controls = [];
  for (const work of queue) failWork(at, work, failure);
  for (const control of controls) failCall(at, control.call.call, failure);
}
