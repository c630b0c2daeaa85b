// An agent's definition as the control plane and the nodes keep it.
import { create } from "@bufbuild/protobuf";
import {
  type Agent,
  AgentSchema,
  Isolation,
  MethodAccess,
  MethodMode,
  MethodOnBusy,
  type Placement,
  PlacementSchema,
} from "@voda/proto/api";
import { defaultNamespace } from "@voda/proto/session";
import type { AgentDefinition } from "./definition.ts";

/** For the programs of the house alone: types of `@voda/proto` are not published. */
export function agentMessage(agent: AgentDefinition, revision: string): Agent {
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
