// One pass of a lane: what happened is noted, then everything that is possible now is done.
import type { CallHead, Failure } from "../call/index.ts";
import type { TurnMessage } from "../turn/index.ts";
import { askGate, noteAsk } from "./ask-gate.ts";
import { abandon, arrive, calls, dropped, identified } from "./calls.ts";
import { commit } from "./commit.ts";
import { control } from "./control.ts";
import { delivered, delivery } from "./delivery.ts";
import { gate, seen, turned } from "./gate.ts";
import type { Activation, Lane, Pass, Slice, StoreReply } from "./lane.ts";
import { drop, failWaiting, memory } from "./memory.ts";
import { sleep } from "./orders.ts";
import { forgetBell } from "./outbox.ts";
import { settle } from "./settle.ts";
import { cutTaken, snapshot } from "./snapshot.ts";
import { noteStep, stepDone, stepGate } from "./step-gate.ts";
import { suspectGate } from "./suspect-gate.ts";
import { grantAlone } from "./suspects.ts";
import { renewTip } from "./tip.ts";
import type { Incarnation, LaneEffect, LaneEvent, World } from "./types.ts";
import { advanceWake, pauseWake, wakeReplied } from "./wake.ts";

/**
 * In the order of a pass: orders close the session before calls run, and the gate opens before the next
 * append.
 */
const slices: readonly Slice[] = [
  control,
  settle,
  calls,
  gate,
  askGate,
  stepGate,
  suspectGate,
  snapshot,
  delivery,
  commit,
  memory,
];

/**
 * The one way in: notes what happened, then does all that is possible. Effects come in the order in which the
 * host must perform them. Throws assertions only: they are mistakes of voda's.
 */
export function feedLane(lane: Lane, event: LaneEvent, world: World): LaneEffect[] {
  const at: Pass = { lane, world, out: [] };
  const { activation } = lane;
  // first of all: nothing may be sent under an incarnation whose lease has ended
  if (activation !== undefined && activation.tip.incarnation !== world.incarnation) {
    renewTip(activation.tip, world.incarnation, activation.turns.gate.length > 0);
    forgetBell(activation.outbox);
  }
  note(at, event);
  advance(at);
  return at.out;
}

function advance(at: Pass): void {
  const { activation } = at.lane;
  if (activation !== undefined) {
    for (const slice of slices) {
      slice.advance?.(at, activation);
      // a slice dropped the memory: the others would act on one that is void
      if (at.lane.activation !== activation) break;
    }
  }
  advanceWake(at);
}

function note(at: Pass, event: LaneEvent): void {
  const { lane } = at;
  switch (event.type) {
    case "invoke":
      return arrive(at, event.call);
    case "control":
      lane.controls.push(event.call);
      return;
    case "abandon":
      return abandon(at, event.call, event.why);
    case "sleep":
      if (lane.activation === undefined) forget(lane);
      else sleep(lane.activation.orders);
      return;
    case "connection":
      return noteConnection(at, event.up);
    case "leases":
      if (lane.waking?.stage === "pause") lane.waking = undefined;
      return;
    case "alone":
      if (lane.activation !== undefined) grantAlone(lane.activation.suspects, event.call);
      return;
    case "undelivered":
      return undelivered(at, event.call, event.incarnation);
    case "timer":
      if (event.timer === "append") lane.appendTimerMs = Number.POSITIVE_INFINITY;
      return;
    case "appended":
    case "refused":
    case "rejected":
    case "last":
    case "range":
    case "pages":
    case "traces":
    case "pages_written":
    case "rung":
    case "buried":
    case "store_failed":
      return noteReply(at, event);
    case "turned":
    case "failed":
    case "read":
    case "dropped":
    case "ask":
    case "step":
    case "step_done":
    case "identified":
    case "cut":
    case "delivered":
    case "open_failed":
    case "worker_lost":
      return noteWorker(at, event);
  }
}

/** It keeps its place no longer. */
function forget(lane: Lane): void {
  lane.keptTip = undefined;
  lane.owed = undefined;
}

function noteReply(at: Pass, event: StoreReply): void {
  const { activation } = at.lane;
  // replies to what was asked before memory was dropped say nothing any more
  if (activation === undefined) wakeReplied(at, event);
  else for (const slice of slices) if (slice.replied?.(at, activation, event)) return;
}

/** Of one activation. */
type OfActivation =
  | TurnMessage
  | Extract<
      LaneEvent,
      {
        type:
          | "ask"
          | "step"
          | "step_done"
          | "cut"
          | "delivered"
          | "identified"
          | "open_failed"
          | "worker_lost";
      }
    >;
function noteWorker(at: Pass, event: OfActivation): void {
  const { lane } = at;
  const { activation } = lane;
  // what a dropped memory still says is void
  if (activation === undefined || activation.number !== event.activation) return;
  switch (event.type) {
    case "turned":
      return turned(at, activation, event);
    case "failed":
    case "read":
      return seen(at, activation, event);
    case "dropped":
      return dropped(at, activation, event);
    case "ask":
      return noteAsk(at, activation, event);
    case "step":
      return noteStep(at, activation, event);
    case "step_done":
      return stepDone(at, activation, event);
    case "identified":
      return identified(at, activation, event);
    case "cut":
      return cutTaken(activation, event);
    case "delivered":
      return delivered(at, activation, event);
    case "open_failed":
      return refuseAll(at, activation, event.failure);
    case "worker_lost":
      return drop(at, activation, "dropped", event);
  }
}

function noteConnection(at: Pass, up: boolean): void {
  const { lane, world } = at;
  const { activation } = lane;
  // a wake reads again on the next connection: what it was told may be of a server that has lost it since
  lane.connected = up;
  if (!up) lane.keptTip = undefined;
  lane.waking = undefined;
  if (up || activation === undefined) return;
  for (const slice of slices) slice.disconnected?.(activation, world);
}

/** The other node did not get it: the call waits here until that node answers or its lease has ended. */
function undelivered(at: Pass, call: CallHead, incarnation: Incarnation): void {
  const { lane, world } = at;
  if (world.standing(incarnation).type === "living") lane.unreachable = incarnation;
  if (call.type === "invoke") arrive(at, call);
  else lane.controls.push(call);
  if (lane.activation === undefined && lane.waking === undefined) pauseWake(at, 0);
}

/** There is nothing here that could run the session's calls. */
function refuseAll(at: Pass, activation: Activation, failure: Failure): void {
  drop(at, activation, "dropped", "unknown");
  failWaiting(at, failure);
}
