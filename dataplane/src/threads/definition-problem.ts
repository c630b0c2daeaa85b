// Whether a bundle has the agents that its deployment says it has.
import { type Agent, MethodMode } from "@voda/proto/api";
import type { AgentDefinition } from "voda/definition";

/** What the bundle has not; `undefined` when it has all. */
export function definitionProblem(agent: Agent, inBundle: readonly AgentDefinition[]): string | undefined {
  const found = inBundle.find(({ name }) => name === agent.name);
  if (found === undefined) {
    const names = inBundle.map(({ name }) => name).join(", ");
    return `the bundle has no agent ${agent.name}; it has: ${names === "" ? "none" : names}`;
  }
  const kinds = new Map(found.fields.map(({ name, kind }) => [name, kind]));
  const field = agent.fields.find(({ name, kind }) => kinds.get(name) !== kind);
  if (field !== undefined)
    return `agent ${agent.name} of the bundle has no field ${field.name} of kind ${field.kind}`;
  const modes = new Map(found.methods.map(({ name, mode }) => [name, mode]));
  const method = agent.methods.find(({ name, mode }) => modes.get(name) !== modeOf(mode));
  return method && `agent ${agent.name} of the bundle has no ${modeOf(method.mode)} method ${method.name}`;
}

function modeOf(mode: MethodMode): "readonly" | "handler" {
  return mode === MethodMode.READONLY ? "readonly" : "handler";
}
