// What is deployed: definitions from the bucket of agents, each with its bundle on this node's disk. Agents
// come and fail side by side: a bundle that loads slowly or not at all holds up nobody else, and its last
// good revision stays, after a restart too.

import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fromJsonString, toJsonString } from "@bufbuild/protobuf";
import { Kvm, type KvWatchEntry } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/transport-node";
import { watchBucket } from "@voda/net";
import { type Agent, AgentSchema } from "@voda/proto/api";
import { agentsBucket } from "@voda/proto/wire";
import { wordsOf } from "@voda/stdx";
import { replaceFileAside } from "@voda/stdx/replace-file";
import type { Logger } from "pino";
import type { Bundles } from "./bundles.ts";

/** Longer than any deployment is under way: what it brought is needed by then, or it has failed. */
const trialMsMax = 600_000;

/** Where deployments come from, and who hears of them. */
export interface DeploymentsOptions {
  readonly connection: NatsConnection;
  readonly bundles: Bundles;
  /** The last definition of each agent that ran here is kept in it, as `<namespace>.<name>.json`. */
  readonly folder: string;
  readonly log: Logger;
  /** Runs this revision from now on; the one before until then. Rejects when it does not load. */
  readonly onDeployed: (agent: Agent, bundleFile: string) => Promise<void>;
  /** The agent has no revision that loads here. */
  readonly onUnloadable: (agent: Agent, why: string) => void;
  /** The agent was undeployed, here or while this node was away. */
  readonly onUndeployed: (namespace: string, name: string) => void;
}

/** Resolves when everything that was deployed before runs or has failed; goes on with what comes. */
export async function watchDeployments(options: DeploymentsOptions): Promise<AsyncDisposable> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const bucket = await new Kvm(options.connection).open(agentsBucket);
  const deployments = new Deployments(options);
  const watch = await watchBucket(bucket, (entry) => deployments.follow(entry));
  await deployments.finishStart();
  return {
    async [Symbol.asyncDispose]() {
      await watch[Symbol.asyncDispose]();
      await deployments.settled();
    },
  };
}

class Deployments {
  readonly #options: DeploymentsOptions;
  /** What is being done for each agent; the next entry of the agent comes after it. */
  readonly #turns = new Map<string, Promise<void>>();
  /** Agents of which a revision runs. */
  readonly #running = new Set<string>();
  /**
   * What was asked for in this life: an old revision may still have sessions, and its thread may have to
   * start again. The next start removes it.
   */
  readonly #needed = new Set<string>();
  /** Before it, what other agents go back to is not known yet. */
  #hasStarted = false;

  constructor(options: DeploymentsOptions) {
    this.#options = options;
  }

  /** An entry waits for those of its agent alone, so the watch is through with it at once. */
  follow(entry: KvWatchEntry): void {
    const before = this.#turns.get(entry.key) ?? Promise.resolve();
    const act = (): Promise<void> =>
      entry.operation === "PUT" ? this.#deploy(entry) : this.#undeploy(entry.key);
    this.#turns.set(entry.key, before.then(act));
  }

  async settled(): Promise<void> {
    await Promise.all(this.#turns.values());
  }

  /** Of what the last life left on the disk, only what runs now stays. */
  async finishStart(): Promise<void> {
    await this.settled();
    await this.#sweep(0);
    this.#hasStarted = true;
  }

  async #deploy(entry: KvWatchEntry): Promise<void> {
    const { key } = entry;
    const { folder, log } = this.#options;
    let agent: Agent | undefined;
    try {
      agent = readAgent(entry.string());
      await this.#start(key, agent);
    } catch (err) {
      log.error({ err, key }, "agent not deployed; the revision before it stays");
      await this.#goBack(key, agent, err);
      return;
    }
    // It runs: what goes wrong from here on is about the disk.
    try {
      await replaceFileAside(goodFile(folder, key), toJsonString(AgentSchema, agent));
    } catch (err) {
      log.error({ err, key }, "agent deployed, but not kept for a start without its bundle");
    }
    if (this.#hasStarted) await this.#sweep(trialMsMax);
    log.info({ namespace: agent.namespace, agent: agent.name, revision: agent.revision }, "agent deployed");
  }

  async #start(key: string, agent: Agent): Promise<void> {
    // before the fetch: `keepOnly` must not remove what is being loaded
    this.#needed.add(agent.revision);
    // noted only after it has loaded: a bundle that fails here must not be what a restart goes back to
    await this.#options.onDeployed(agent, await this.#options.bundles.fileOf(agent.revision));
    this.#running.add(key);
  }

  /** After `agent`, if it could be read, did not load. */
  async #goBack(key: string, agent: Agent | undefined, why: unknown): Promise<void> {
    // the revision before still serves
    if (this.#running.has(key) || (await this.#startGood(key)) || agent === undefined) return;
    this.#options.onUnloadable(agent, wordsOf(why));
  }

  /** Whether the revision that ran here last, before a restart, runs again. */
  async #startGood(key: string): Promise<boolean> {
    const { folder, log } = this.#options;
    try {
      const good = await readGood(folder, key);
      if (good === undefined) return false;
      await this.#start(key, good);
      log.warn({ agent: good.name, revision: good.revision }, "the last revision that ran here runs again");
      return true;
    } catch (err) {
      log.error({ err, key }, "the last revision that ran here does not run any more");
      return false;
    }
  }

  /** Nothing of it comes back by itself: the revision that ran here last is forgotten too. */
  async #undeploy(key: string): Promise<void> {
    const { folder, log, onUndeployed } = this.#options;
    this.#running.delete(key);
    const [namespace = "", name = ""] = key.split(".");
    onUndeployed(namespace, name);
    log.info({ namespace, agent: name }, "agent undeployed");
    try {
      await rm(goodFile(folder, key), { force: true });
    } catch (err) {
      log.error({ err, key }, "the last revision of an undeployed agent is still kept");
    }
  }

  async #sweep(untouchedMs: number): Promise<void> {
    try {
      await this.#options.bundles.keepOnly(this.#needed, untouchedMs);
    } catch (err) {
      this.#options.log.warn(
        { err },
        "bundles that no agent needs stay on the disk until the next deployment",
      );
    }
  }
}

function readAgent(json: string): Agent {
  return fromJsonString(AgentSchema, json, { ignoreUnknownFields: true });
}

function goodFile(folder: string, key: string): string {
  return join(folder, `${key}.json`);
}

async function readGood(folder: string, key: string): Promise<Agent | undefined> {
  try {
    return readAgent(await readFile(goodFile(folder, key), "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
