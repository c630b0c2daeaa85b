// What a lane wants of the worker thread, done.
import { type Clock, unreachable } from "@voda/stdx";
import type { Logger } from "pino";
import { fail } from "../call/index.ts";
import { type Admission, type Device, deviceEnvironment, type Reports } from "../controls/index.ts";
import type { LaneEffect } from "../lane/index.ts";
import type { Workers } from "../threads/index.ts";
import type { Calls } from "./calls.ts";
import type { Hosted } from "./hosted.ts";

export interface WorkerParts {
  readonly workers: Workers;
  readonly admission: Admission;
  readonly reports: Reports;
  /** The GPUs of this node. */
  readonly devices: readonly Device[];
  readonly clock: Clock;
  readonly log: Logger;
}

interface Running extends WorkerParts {
  readonly calls: Calls;
  readonly byActivation: Map<number, Hosted>;
}

export type WorkerEffect = Extract<
  LaneEffect,
  { type: "open" | "run" | "identify" | "cancel" | "cut" | "close" }
>;

export function performOnWorker(parts: Running, hosted: Hosted, effect: WorkerEffect): void {
  const { activation } = effect;
  switch (effect.type) {
    case "open":
      open(parts, hosted, effect);
      return;
    case "run": {
      const live = parts.calls.get(effect.call);
      if (live === undefined) return; // answered by its deadline; the lane hears of that next
      live.handedMs = parts.clock.monotonicMs();
      hosted.worker?.send({ type: "run", activation, call: live.call });
      return;
    }
    case "identify": {
      const live = parts.calls.get(effect.call);
      if (live !== undefined) hosted.worker?.send({ type: "identify", activation, call: live.call });
      return;
    }
    case "cancel":
    case "cut":
      hosted.worker?.send(effect);
      return;
    case "close":
      close(parts, hosted, activation);
      return;
    default:
      unreachable(effect);
  }
}

function open(
  parts: Running,
  hosted: Hosted,
  { activation, image, epoch }: Extract<LaneEffect, { type: "open" }>,
): void {
  const { workers, admission, reports, byActivation } = parts;
  const deployed = workers.of(hosted.name);
  const admitted =
    deployed === undefined
      ? fail("agent_not_found", `agent ${hosted.name.agent} is not deployed any more`)
      : (deployed.worker.refusal ?? admission.admit(deployed.agent, hosted.granted));
  if (deployed === undefined || "failure" in admitted) {
    if ("failure" in admitted) hosted.refused = { activation, failure: admitted.failure };
    reports.deactivated(hosted.token); // or control planes would send it here again
    return;
  }
  const { agent, worker } = deployed;
  byActivation.set(activation, hosted);
  hosted.agent = agent;
  hosted.devices = admitted.devices;
  logDevices(parts, hosted);
  hosted.worker = worker;
  worker.open(activation);
  worker.send({ type: "open", activation, name: hosted.name, origin: epoch });
  for (const bytes of image.pages) worker.send({ type: "page", activation, bytes });
  for (const bytes of image.deltas) worker.send({ type: "delta", activation, bytes });
  worker.send({ type: "opened", activation });
}

function close({ admission, byActivation }: Running, hosted: Hosted, activation: number): void {
  const { worker } = hosted;
  // Calls that still wait may open it again with what it held; nothing else may.
  hosted.granted = worker === undefined ? undefined : hosted.devices;
  hosted.cutPages = [];
  if (worker === undefined) return; // its opening was refused
  byActivation.delete(activation);
  worker.close(activation);
  hosted.worker = undefined;
  admission.release(hosted.agent, hosted.devices);
  hosted.devices = [];
}

function logDevices(parts: Running, { name, devices }: Hosted): void {
  if (devices.length === 0) return;
  const environment = deviceEnvironment(parts.devices, devices);
  parts.log.info({ session: name, devices, environment }, "session holds devices");
}
