import { create } from "@bufbuild/protobuf";
import { type DeployAgentsRequest, DeployAgentsRequestSchema } from "@voda/proto/api";
import { agentMessage } from "voda/agent-message";
import type { AgentDefinition } from "voda/definition";
import type { Bundle } from "./bundle.ts";

const utf8 = new TextEncoder();

/** What the control plane is asked to deploy: the code, and the agents in it as plain data. */
export function deployRequest(
  bundle: Pick<Bundle, "code" | "revision">,
  agents: readonly AgentDefinition[],
): DeployAgentsRequest {
  return create(DeployAgentsRequestSchema, {
    bundle: utf8.encode(bundle.code),
    agents: agents.map((agent) => agentMessage(agent, bundle.revision)),
  });
}
