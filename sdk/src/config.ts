// Zone `voda/config`: which agents a mesh runs.
import { type AnyAgent, isAgent } from "./definition.ts";
import { refuseUnknown } from "./options.ts";

/** What `voda.config.ts` exports by default. */
export interface Config<A extends readonly AnyAgent[] = readonly AnyAgent[]> {
  /** At least one; names are unique. */
  readonly agents: A;
}

const configNames: ReadonlySet<string> = new Set(["agents"]);

/**
 * Checks a config and keeps the types of its agents, so that `createClient<typeof config>` knows every
 * handler.
 * @throws TypeError for an unknown key, no agent, what is not an agent, or a name that is used twice
 */
export function defineConfig<const A extends readonly AnyAgent[]>(config: Config<A>): Config<A> {
  if (typeof config !== "object" || config === null)
    throw new TypeError("defineConfig takes an object: defineConfig({ agents: [...] })");
  refuseUnknown("config key", config, configNames);
  const { agents } = config;
  if (!Array.isArray(agents) || agents.length === 0)
    throw new TypeError("config: agents must be a list of at least one agent");
  const names = new Set<string>();
  for (const [at, one] of agents.entries()) {
    if (!isAgent(one)) throw new TypeError(`config: agents[${at}] was not made by agent(...)`);
    if (names.has(one.name)) throw new TypeError(`config: two agents are named "${one.name}"`);
    names.add(one.name);
  }
  return Object.freeze({ agents });
}
