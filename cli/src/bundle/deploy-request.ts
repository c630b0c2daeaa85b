import { create } from "@bufbuild/protobuf";
import {
  type Agent,
  AgentSchema,
  type DeployAgentsRequest,
  DeployAgentsRequestSchema,
  Isolation,
  MethodAccess,
  MethodMode,
  MethodOnBusy,
  type Placement,
  PlacementSchema,
} from "@voda/proto/api";
import { defaultNamespace } from "@voda/proto/session";
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

function agentMessage(agent: AgentDefinition, revision: string): Agent {
  return create(AgentSchema, {
    namespace: defaultNamespace,
    name: agent.name,
    revision,
    fields: agent.fields.map(({ name, kind }) => ({ name, kind })),
    methods: agent.methods.map(methodMessage),
    resources: agent.resources,
    placement: placementMessage(agent.placement),
    idleMs: agent.idleMs,
    turnMsMax: agent.turnMsMax,
    queueMax: agent.queueMax,
    dedupeMs: agent.dedupeMs,
  });
}

function methodMessage({ name, mode, access, onBusy, ...more }: AgentDefinition["methods"][number]) {
  return {
    name,
    mode: mode === "readonly" ? MethodMode.READONLY : MethodMode.HANDLER,
    ...more,
    access: access === "internal" ? MethodAccess.INTERNAL : MethodAccess.PUBLIC,
    onBusy: onBusy === "reject" ? MethodOnBusy.REJECT : MethodOnBusy.QUEUE,
  };
}

const wireIsolations = {
  shared: Isolation.SHARED,
  process: Isolation.PROCESS,
  dedicated: Isolation.DEDICATED,
} as const satisfies Record<AgentDefinition["placement"]["isolation"], Isolation>;

function placementMessage(rules: AgentDefinition["placement"]): Placement {
  const { gpuModels, isolation, labels, affinity, antiAffinity, spread } = rules;
  return create(PlacementSchema, {
    gpuModels: [...gpuModels],
    isolation: wireIsolations[isolation],
    labels: [...labels],
    affinity: [...affinity],
    antiAffinity: [...antiAffinity],
    spread,
  });
}
