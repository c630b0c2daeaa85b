// Activations in the worker threads of this node, each with its part of the node's cores, memory and devices.
import type { Agent } from "@voda/proto/api";
import type { Device } from "@voda/proto/devices";
import type { DeviceShare } from "@voda/proto/grant";
import type { Logger } from "pino";
import { fail } from "../call/index.ts";
import { type Admission, deviceEnvironment } from "../controls/index.ts";
import type { WorkerPort } from "../reactor/index.ts";
import type { WorkerHandle, Workers } from "../threads/index.ts";

/** Where activations run, and what they may take. */
export interface WorkerParts {
  readonly workers: Workers;
  readonly admission: Admission;
  /** The GPUs of this node. */
  readonly devices: readonly Device[];
  readonly log: Logger;
}

interface Open {
  readonly worker: WorkerHandle;
  /** As it was when the session was opened: what it takes of the node is given back the same. */
  readonly agent: Agent;
  readonly devices: readonly DeviceShare[];
  readonly thread: ReturnType<WorkerHandle["open"]>;
}

/**
 * An activation that was closed is known to nobody: what is still sent to it goes nowhere, and nothing fails.
 */
export function createWorkerPort({ workers, admission, devices, log }: WorkerParts): WorkerPort {
  const opened = new Map<number, Open>();
  return {
    agentOf: (name) => workers.of(name)?.agent ?? workers.refusalOf(name),
    askedAgentOf: (name) => workers.of(name)?.agent ?? workers.askRefusalOf(name),
    open({ name, activation, epoch, image, granted, hear }) {
      const deployed = workers.of(name);
      if (deployed === undefined)
        return fail("agent_not_found", `agent ${name.agent} is not deployed any more`);
      const { agent, worker } = deployed;
      // The thread first: a refusal of its own takes nothing of the node, so there is nothing to give back.
      const admitted = worker.refusal ?? admission.admit(agent, granted);
      if ("failure" in admitted) return admitted;
      if (admitted.devices.length > 0)
        log.info(
          {
            session: name,
            devices: admitted.devices,
            environment: deviceEnvironment(devices, admitted.devices),
          },
          "session holds devices",
        );
      const thread = worker.open(activation, image, hear);
      opened.set(activation, { worker, agent, devices: admitted.devices, thread });
      // In pieces: a frame has a bound, a state may have megabytes.
      const { isReleased } = image;
      thread.send({ type: "open", activation, name, epoch, isReleased });
      for (const bytes of image.pages) thread.send({ type: "page", activation, bytes });
      for (const bytes of image.deltas) thread.send({ type: "delta", activation, bytes });
      thread.send({ type: "opened", activation });
      return { agent, devices: admitted.devices };
    },
    run(activation, call) {
      opened.get(activation)?.thread.send({ type: "run", activation, call });
    },
    identify(activation, call) {
      opened.get(activation)?.thread.send({ type: "identify", activation, call });
    },
    cancel(activation, call, why) {
      opened.get(activation)?.thread.send({ type: "cancel", activation, call, why });
    },
    answerAsk(activation, askId, answer) {
      opened.get(activation)?.thread.send({ type: "ask_answered", activation, askId, answer });
    },
    outbox(activation, { messages, timers, bytes }) {
      opened.get(activation)?.thread.send({ type: "outbox", activation, messages, timers, bytes });
    },
    recall: (activation, call, recalled) =>
      opened.get(activation)?.thread.send({ type: "recall", activation, call, recalled }),
    answerStep: (activation, step, answer) =>
      opened.get(activation)?.thread.send({ type: "step_answered", activation, step, answer }),
    cut(activation) {
      opened.get(activation)?.thread.send({ type: "cut", activation });
    },
    close(activation) {
      const open = opened.get(activation);
      if (open === undefined) return;
      opened.delete(activation);
      // The thread hears of it before others may take what it held of the devices.
      open.worker.close(activation);
      admission.release(open.agent, open.devices);
    },
    isCurrent(activation) {
      const open = opened.get(activation);
      if (open === undefined) return false;
      const { namespace, name } = open.agent;
      return workers.of({ namespace, agent: name })?.worker === open.worker;
    },
  };
}
