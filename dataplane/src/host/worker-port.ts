// Activations in the worker threads of this node, each with its part of the node's cores, memory and devices.
import type { Agent } from "@voda/proto/api";
import type { DeviceShare } from "@voda/proto/grant";
import type { Logger } from "pino";
import { fail } from "../call/index.ts";
import { type Admission, type Device, deviceEnvironment } from "../controls/index.ts";
import type { AskSaid, WorkerEvent, WorkerPort } from "../reactor/index.ts";
import { pageHash } from "../store/index.ts";
import type { SessionMessage, WorkerHandle, Workers } from "../threads/index.ts";

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
  /** Pages of a snapshot that is on its way. */
  pages: Uint8Array[];
}

/** The port, and its other direction: what threads say, as events of sessions. */
export interface NodeWorkerPort extends WorkerPort {
  /** `undefined` when nothing has happened yet, or nobody wants to know any more. */
  read(message: SessionMessage): WorkerEvent | AskSaid | undefined;
}

export function createWorkerPort({ workers, admission, devices, log }: WorkerParts): NodeWorkerPort {
  const opened = new Map<number, Open>();
  return {
    agentOf: (name) => workers.of(name)?.agent ?? workers.refusalOf(name),
    open({ name, activation, origin, image, granted }) {
      const deployed = workers.of(name);
      if (deployed === undefined)
        return fail("agent_not_found", `agent ${name.agent} is not deployed any more`);
      const { agent, worker } = deployed;
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
      opened.set(activation, { worker, agent, devices: admitted.devices, pages: [] });
      worker.open(activation);
      worker.send({ type: "open", activation, name, origin });
      for (const bytes of image.pages) worker.send({ type: "page", activation, bytes });
      for (const bytes of image.deltas) worker.send({ type: "delta", activation, bytes });
      worker.send({ type: "opened", activation });
      return { agent, devices: admitted.devices };
    },
    run(activation, call) {
      opened.get(activation)?.worker.send({ type: "run", activation, call });
    },
    identify(activation, call) {
      opened.get(activation)?.worker.send({ type: "identify", activation, call });
    },
    cancel(activation, call, why) {
      opened.get(activation)?.worker.send({ type: "cancel", activation, call, why });
    },
    asked(activation, ask, answer) {
      opened.get(activation)?.worker.send({ type: "asked", activation, ask, answer });
    },
    cut(activation) {
      opened.get(activation)?.worker.send({ type: "cut", activation });
    },
    close(activation) {
      const open = opened.get(activation);
      if (open === undefined) return;
      opened.delete(activation);
      open.worker.close(activation);
      admission.release(open.agent, open.devices);
    },
    isCurrent(activation) {
      const open = opened.get(activation);
      if (open === undefined) return false;
      const { namespace, name } = open.agent;
      return workers.of({ namespace, agent: name })?.worker === open.worker;
    },
    read(message) {
      const open = opened.get(message.activation);
      if (open === undefined) return undefined;
      if (message.type === "cut_page") {
        open.pages.push(message.bytes);
        return undefined;
      }
      if (message.type !== "cut") return message;
      const pages = open.pages.map((bytes) => ({ bytes, hash: hash16(bytes) }));
      open.pages = [];
      return { ...message, pages };
    },
  };
}
