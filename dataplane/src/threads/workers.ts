// The worker threads of a node: one per bundle that has sessions, is current, or was tried a moment ago.
import type { Agent } from "@voda/proto/api";
import type { SessionName } from "@voda/proto/session";
import { bundleLoadMsMax } from "@voda/proto/wire";
import { type Failed, fail, listOf } from "../call/index.ts";
import { BundleWorker, type BundleWorkerOptions, pulseMs, type WorkerHandle } from "./bundle-worker.ts";

/** A bundle that was tried and is not deployed in this time is closed. */
export const rehearsedMsMax = 30_000;
/** Heap of one thread. A node that offers less memory gives less. */
export const heapMibMax = 4_096;

export interface WorkersOptions extends BundleWorkerOptions {
  /**
   * Moves the sessions of these activations to the bundles that are current now, where they run on older
   * ones.
   */
  readonly onRetire: (activations: Iterable<number>) => Promise<unknown>;
}

/** What runs an agent's sessions now. */
export interface Deployed {
  readonly agent: Agent;
  readonly worker: WorkerHandle;
}

type AgentName = Omit<SessionName, "key">;

export interface Workers extends AsyncDisposable {
  /** Of the session's agent, the current revision. */
  of(name: AgentName): Deployed | undefined;
  /** Why there is none, for a call that another node has passed on: that one knows the agent. */
  refusalOf(name: AgentName): Failed;
  /** Why there is none, for a handler of this node that asks it: nobody knows better. */
  askRefusalOf(name: AgentName): Failed;
  /**
   * Starts the bundle unless it runs, makes it current for the agent, and moves the agent's sessions to it.
   * Rejects, and leaves everything as it was, when it does not load or does not have the agent.
   */
  deploy(agent: Agent, bundle: string): Promise<void>;
  /**
   * Whether a deployment of these agents would do: starts the bundle, and keeps it a while in case that it
   * comes.
   */
  rehearse(agents: readonly Agent[], bundle: string): Promise<void>;
  /** Resolves when these revisions are current; rejects after `bundleLoadMsMax`. */
  running(agents: readonly Agent[]): Promise<void>;
  /**
   * The agent is no more: its sessions are put to sleep, and its bundle is closed when nobody else needs it.
   */
  undeploy(namespace: string, name: string): void;
  /** The agent has no revision that loads: its sessions are told why. */
  refuse(agent: Agent, why: string): void;
}

export function openWorkers(options: WorkersOptions): Workers {
  return new WorkerSet(options);
}

const idOf = (namespace: string, name: string): string => `${namespace}/${name}`;

class WorkerSet implements Workers {
  readonly #options: WorkersOptions;
  readonly #deployed = new Map<string, { readonly agent: Agent; readonly worker: BundleWorker }>();
  readonly #refusals = new Map<string, Failed>();
  /** By namespace and revision. */
  readonly #workers = new Map<string, BundleWorker>();
  readonly #rehearsals = new Set<NodeJS.Timeout>();
  /** Told of each deployment. */
  readonly #waiting = new Set<() => void>();
  readonly #watch: NodeJS.Timeout;

  constructor(options: WorkersOptions) {
    this.#options = options;
    this.#watch = setInterval(() => {
      for (const worker of this.#workers.values()) worker.checkPulse();
    }, pulseMs);
  }

  of({ namespace, agent }: AgentName): Deployed | undefined {
    return this.#deployed.get(idOf(namespace, agent));
  }

  refusalOf({ namespace, agent }: AgentName): Failed {
    const unknown = fail("not_owner", `agent ${agent} is not deployed on this node yet; retry`);
    return this.#refusals.get(idOf(namespace, agent)) ?? unknown;
  }

  askRefusalOf({ namespace, agent }: AgentName): Failed {
    const refusal = this.#refusals.get(idOf(namespace, agent));
    if (refusal !== undefined) return refusal;
    const own = [...this.#deployed.values()].filter((one) => one.agent.namespace === namespace);
    const names = own.map((one) => one.agent.name).sort();
    const words = `no agent ${agent} in namespace ${namespace}; deployed are: ${listOf(names)}`;
    return fail("agent_not_found", words);
  }

  refuse({ namespace, name }: Agent, why: string): void {
    const message = `the code of agent ${name} does not load on this node: ${why}; deploy it again`;
    this.#refusals.set(idOf(namespace, name), fail("worker_lost", message));
  }

  async deploy(agent: Agent, bundle: string): Promise<void> {
    const id = idOf(agent.namespace, agent.name);
    const worker = await this.#loaded([agent], bundle);
    const before = this.#deployed.get(id)?.worker;
    this.#deployed.set(id, { agent, worker });
    this.#refusals.delete(id);
    for (const check of this.#waiting) check();
    if (before !== undefined && before !== worker) void this.#retire(before);
  }

  undeploy(namespace: string, name: string): void {
    const id = idOf(namespace, name);
    const worker = this.#deployed.get(id)?.worker;
    this.#deployed.delete(id);
    this.#refusals.delete(id);
    if (worker !== undefined) void this.#retire(worker);
  }

  async rehearse(agents: readonly Agent[], bundle: string): Promise<void> {
    const [first, ...more] = agents;
    if (first === undefined) return;
    const worker = await this.#loaded([first, ...more], bundle);
    const timer = setTimeout(() => {
      this.#rehearsals.delete(timer);
      void this.#closeUnneeded(worker);
    }, rehearsedMsMax);
    this.#rehearsals.add(timer);
  }

  async running(agents: readonly Agent[]): Promise<void> {
    const missing = (): Agent | undefined =>
      agents.find(
        ({ namespace, name, revision }) =>
          this.#deployed.get(idOf(namespace, name))?.agent.revision !== revision,
      );
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const recheck = (): void => {
      if (missing() === undefined) resolve();
    };
    const timer = setTimeout(() => {
      reject(new Error(`agent ${missing()?.name} does not run in its new revision yet`));
    }, bundleLoadMsMax);
    this.#waiting.add(recheck);
    try {
      recheck();
      await promise;
    } finally {
      this.#waiting.delete(recheck);
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#watch);
    for (const timer of this.#rehearsals) clearTimeout(timer);
    await Promise.all([...this.#workers.values()].map((worker) => worker[Symbol.asyncDispose]()));
  }

  /**
   * With all of these agents. Whoever asked for it first may not be the only one: it is closed when nobody
   * needs it.
   */
  async #loaded(agents: readonly [Agent, ...Agent[]], bundle: string): Promise<BundleWorker> {
    const [first] = agents;
    const key = idOf(first.namespace, first.revision);
    const worker = this.#workers.get(key) ?? new BundleWorker(key, first, bundle, this.#options);
    this.#workers.set(key, worker);
    try {
      for (const agent of agents) {
        const problem = await worker.problemOf(agent);
        if (problem !== undefined) throw new Error(problem);
      }
    } catch (error) {
      await this.#closeUnneeded(worker);
      throw error;
    }
    return worker;
  }

  /** The bundle may still run other agents, or be current again by the time that its sessions have moved. */
  async #retire(worker: BundleWorker): Promise<void> {
    const { onRetire, log } = this.#options;
    const { revision } = worker;
    try {
      await onRetire(worker.activations);
      if (await this.#closeUnneeded(worker)) log.info({ revision }, "old revision closed");
    } catch (err) {
      log.error({ err, revision }, "old revision not closed");
    }
  }

  async #closeUnneeded(worker: BundleWorker): Promise<boolean> {
    const isCurrent = [...this.#deployed.values()].some((one) => one.worker === worker);
    if (isCurrent || !worker.isEmpty || this.#workers.get(worker.key) !== worker) return false;
    this.#workers.delete(worker.key);
    await worker[Symbol.asyncDispose]();
    return true;
  }
}
