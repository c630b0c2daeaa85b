// AgentService: what is deployed. Bundles go to `voda_blobs` by SHA-256, definitions to `voda_agents`.
import { createHash } from "node:crypto";
import { create, toJsonString } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { type Agent, AgentSchema, type AgentService, ResourcesSchema } from "@voda/proto/api";
import { defaultNamespace } from "@voda/proto/session";
import { type Agents, agentKey } from "../agents/agents.ts";
import { readAgent } from "../agents/watch-agents.ts";
import { ControlError } from "../errors.ts";
import { storeOver } from "../nats/store-over.ts";
import { type TrialContext, tryOnNodes } from "../nats/trial.ts";
import { type BundleStore, removeUnneeded, storeBlob } from "./bundle-store.ts";
import { checkDeploy, checkSchema } from "./check-deploy.ts";
import { namespaceOf } from "./namespace.ts";
import { agentNotFound } from "./refs.ts";

/** Where definitions and bundles are kept, and what is known of them here. */
export interface AgentContext extends TrialContext, BundleStore {
  readonly agents: Agents;
}

/** Attempts to store one definition while others deploy it too. */
const storeAttemptsMax = 5;

/** A deployment is checked as a whole before anything of it is stored. */
export function agentService(context: AgentContext): ServiceImpl<typeof AgentService> {
  return {
    async deployAgents(request) {
      const agents = request.agents.map(normalize);
      const sha256 = createHash("sha256").update(request.bundle).digest("hex");
      checkDeploy({ ...request, agents }, sha256);
      const running = await Promise.all(agents.map(({ namespace, name }) => find(context, namespace, name)));
      running.forEach((one, i) => checkAgainst(one?.agent, agents[i]));
      const old = running.flatMap((one) => one?.agent.revision ?? []);
      try {
        await storeBlob(context.blobs, sha256, request.bundle);
        await tryOnNodes(context, agents, false);
        for (const agent of agents) await storeDefinition(context, agent);
      } catch (error) {
        await removeUnneeded(context, [sha256]);
        throw error;
      }
      // Somebody who replaced this very revision may have removed its bundle before it was needed again.
      await storeBlob(context.blobs, sha256, request.bundle);
      await tryOnNodes(context, agents, true);
      await removeUnneeded(context, old);
      return { agents };
    },
    getAgent({ namespace, name }) {
      const agent = context.agents.get(namespaceOf(namespace), name);
      if (agent === undefined) throw agentNotFound(namespaceOf(namespace), name);
      return { agent };
    },
    async undeployAgent({ namespace, name }) {
      const key = agentKey(namespaceOf(namespace), name);
      const running = await find(context, namespaceOf(namespace), name);
      if (running === undefined) throw agentNotFound(namespaceOf(namespace), name);
      await context.definitions.delete(key);
      context.agents.delete(key);
      await removeUnneeded(context, [running.agent.revision]);
      return {};
    },
    listAgents: ({ namespace }) => ({ agents: context.agents.list(namespaceOf(namespace)) }),
  };
}

/** What a definition leaves out has one form, so that the same definition is the same text in the bucket. */
function normalize(agent: Agent): Agent {
  const namespace = agent.namespace === "" ? defaultNamespace : agent.namespace;
  return create(AgentSchema, { ...agent, namespace, resources: agent.resources ?? create(ResourcesSchema) });
}

/** From the bucket, not from what is known here: another control plane may have deployed a moment ago. */
async function find(
  { definitions }: AgentContext,
  namespace: string,
  name: string,
): Promise<{ agent: Agent; revision: number } | undefined> {
  const entry = await definitions.get(agentKey(namespace, name));
  return entry?.operation === "PUT" ? { agent: readAgent(entry), revision: entry.revision } : undefined;
}

/** Sessions of the agent that runs have state in the log, which the next definition must be able to read. */
function checkAgainst(running: Agent | undefined, next: Agent | undefined): void {
  if (running !== undefined && next !== undefined) checkSchema(running, next);
}

/**
 * Writes over the revision that was checked; when another deployment came between, checks and writes again.
 */
async function storeDefinition(context: AgentContext, agent: Agent): Promise<void> {
  const key = agentKey(agent.namespace, agent.name);
  const value = toJsonString(AgentSchema, agent);
  for (let attempt = 0; attempt < storeAttemptsMax; attempt += 1) {
    const running = await find(context, agent.namespace, agent.name);
    checkAgainst(running?.agent, agent);
    if (running === undefined || toJsonString(AgentSchema, running.agent) !== value) {
      const isStored = await storeOver(context.definitions, { key, value, revision: running?.revision });
      if (!isStored) continue;
    }
    context.agents.set(agent);
    return;
  }
  throw ControlError.of(
    "fenced",
    `agent ${agent.name} was deployed by others ${storeAttemptsMax} times meanwhile; deploy again`,
  );
}
