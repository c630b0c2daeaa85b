// A bundle comes into its thread.
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import type { Schema } from "@voda/state";
import { type AnyAgent, isAgent, isProvided } from "voda/definition";
import { schemaOf } from "./schema-of.ts";

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
