// A bundle comes into its thread.
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import { type Check, type FieldSchema, RefusedValueError, type Schema } from "@voda/state";
import {
  type AnyAgent,
  definitionOf,
  type FieldDefinition,
  isAgent,
  isProvided,
  type Validate,
  validatorsOf,
} from "voda/definition";

export interface LoadedAgent {
  readonly agent: AnyAgent;
  readonly schema: Schema;
}

/** Bundles lie where nothing can be found; what they share with the node is the node's own. */
export function resolveProvidedHere(): void {
  registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, isProvided(specifier) ? { ...context, parentURL: import.meta.url } : context),
  });
}

/** By name. @throws whatever the code at the top of the agents' files throws */
export async function loadAgents(bundle: string): Promise<ReadonlyMap<string, LoadedAgent>> {
  const loaded: { readonly default?: { readonly agents?: readonly unknown[] } } = await import(
    pathToFileURL(bundle).href
  );
  const agents = (loaded.default?.agents ?? []).filter(isAgent);
  return new Map(agents.map((agent) => [agent.name, { agent, schema: schemaOf(agent) }]));
}

/** For the state engine. */
export function schemaOf(agent: AnyAgent): Schema {
  const validators = validatorsOf(agent);
  return Object.fromEntries(
    definitionOf(agent).fields.map((field) => {
      const validate = validators.get(field.name);
      return [field.name, fieldSchema(agent.name, field, validate)];
    }),
  );
}

function fieldSchema(
  agent: string,
  { kind, initial }: FieldDefinition,
  validate: Validate | undefined,
): FieldSchema {
  return {
    kind,
    ...(initial !== undefined && { initial }),
    ...(validate !== undefined && { check: checking(agent, validate) }),
  };
}

function checking(agent: string, validate: Validate): Check {
  return (value, where) => {
    const validation = validate(value, `agent ${agent}: ${where}`, where);
    if (!validation.ok) throw new RefusedValueError(validation.problem);
    return validation.value;
  };
}
