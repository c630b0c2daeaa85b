// The worker threads of a node: one per bundle that has sessions or is current.
import type { Agent } from "@voda/proto/api";
import type { SessionName } from "@voda/proto/session";
import { BundleWorker, type BundleWorkerOptions, pulseMs, type WorkerHandle } from "./bundle-worker.ts";

export interface WorkersOptions extends BundleWorkerOptions {
  /** Moves the sessions of these activations to the bundles that are current now, where they run on older ones. */
  readonly onRetire: (activations: Iterable<number>) => Promise<unknown>;
}

/** What runs an agent's sessions now. */
export interface Deployed {
  readonly agent: Agent;
  readonly worker: WorkerHandle;
}

export interface Workers extends AsyncDisposable {
  /** Of the session's agent, the current revision. */
  of(name: Omit<SessionName, "key">): Deployed | undefined;
  /** Starts the bundle unless it runs, makes it current for the agent, and moves the agent's sessions to it. */
  deploy(agent: Agent, bundle: string): Promise<void>;
}

export function openWorkers(options: WorkersOptions): Workers {
  const deployed = new Map<string, { readonly agent: Agent; readonly worker: BundleWorker }>();
  const workers = new Map<string, BundleWorker>();
  const idOf = (namespace: string, name: string): string => `${namespace}/${name}`;
  const watch = setInterval(() => {
    for (const worker of workers.values()) worker.look();
  }, pulseMs);

  const isCurrent = (worker: BundleWorker): boolean =>
    [...deployed.values()].some((one) => one.worker === worker);
  /** The bundle may still run other agents, or be current again by the time that its sessions have moved. */
  const retire = async (worker: BundleWorker): Promise<void> => {
    await options.onRetire(worker.activations);
    if (isCurrent(worker) || worker.activations.size > 0 || workers.get(worker.key) !== worker) return;
    workers.delete(worker.key);
    await worker[Symbol.asyncDispose]();
    options.log.info({ revision: worker.revision }, "old revision closed");
  };
  const loaded = async (key: string, agent: Agent, bundle: string): Promise<BundleWorker> => {
    const worker = workers.get(key) ?? new BundleWorker(key, agent, bundle, options);
    workers.set(key, worker);
    try {
      await worker.ready;
    } catch (error) {
      if (isCurrent(worker)) throw error; // it ran before, and is being started again
      workers.delete(key);
      await worker[Symbol.asyncDispose]();
      throw error;
    }
    return worker;
  };

  return {
    of: ({ namespace, agent }) => deployed.get(idOf(namespace, agent)),
    async deploy(agent, bundle) {
      const id = idOf(agent.namespace, agent.name);
      const worker = await loaded(`${agent.namespace}/${agent.revision}`, agent, bundle);
      const before = deployed.get(id)?.worker;
      deployed.set(id, { agent, worker });
      if (before === undefined || before === worker) return;
      retire(before).catch((err: unknown) =>
        options.log.error({ err, revision: before.revision }, "old revision not closed"),
      );
    },
    async [Symbol.asyncDispose]() {
      clearInterval(watch);
      await Promise.all([...workers.values()].map((worker) => worker[Symbol.asyncDispose]()));
    },
  };
}
