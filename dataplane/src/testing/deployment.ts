// The agents of a mesh in memory, as its node and its callers know them.
import type { Agent } from "@voda/proto/api";
import type { Schema } from "@voda/state";
import { agentMessage } from "voda/agent-message";
import { type AnyAgent, definitionOf } from "voda/definition";
import { type Failed, fail, listOf } from "../call/index.ts";
import { schemaOf } from "../worker/schema-of.ts";

export interface DeployedAgent {
  readonly agent: AnyAgent;
  readonly message: Agent;
  readonly schema: Schema;
}

export interface Deployment {
  readonly agents: Iterable<DeployedAgent>;
  of(name: string): DeployedAgent | undefined;
  messageOf(name: string): Agent | Failed;
}

/** @throws RangeError when two have one name */
export function deploymentOf(agents: readonly AnyAgent[]): Deployment {
  const byName = new Map<string, DeployedAgent>();
  for (const agent of agents) {
    if (byName.has(agent.name)) throw new RangeError(`two agents have the name ${agent.name}`);
    const message = agentMessage(definitionOf(agent), "test");
    byName.set(agent.name, { agent, message, schema: schemaOf(agent) });
  }
  return {
    agents: [...byName.values()],
    of: (name) => byName.get(name),
    messageOf: (name) =>
      byName.get(name)?.message ??
      fail("agent_not_found", `no agent ${name} in this mesh; it has: ${listOf(byName.keys())}`),
  };
}
