// What is deployed: definitions by name, and which agents implement a protobuf service.
import type { Agent } from "@voda/proto/api";
import { type SessionName, sessionToken } from "@voda/proto/session";
import { gpuRequest, type PoolRequest, type Resources } from "../placement/index.ts";
import { isolationOf } from "./isolation.ts";

const nothing: Resources = { cpuMilli: 0, memoryMib: 0, gpu: { type: "none" } };

/** Key of `voda_agents`, and of this index: a namespace and a name have no dot. */
export function agentKey(namespace: string, name: string): string {
  return `${namespace}.${name}`;
}

/** An index in memory, kept equal to the bucket by `watchAgents`. */
export class Agents {
  readonly #agents = new Map<string, Agent>();
  /** Names by namespace and service. */
  readonly #implementers = new Map<string, Set<string>>();
  #wanted: readonly PoolRequest[] | undefined;

  get(namespace: string, name: string): Agent | undefined {
    return this.#agents.get(agentKey(namespace, name));
  }

  /** All agents of a namespace, by name. */
  list(namespace: string): Agent[] {
    const found = [...this.#agents.values()].filter((agent) => agent.namespace === namespace);
    return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The one agent that implements a service; `undefined` when there is none, or several. */
  implementer(namespace: string, service: string): string | undefined {
    const names = this.#implementers.get(agentKey(namespace, service));
    return names?.size === 1 ? names.values().next().value : undefined;
  }

  /**
   * What a session asks of a pool; one of an agent that is not known asks for nothing. Who has the token or
   * the agent gives it: the one is a hash, the other a look-up.
   */
  requestOf(
    name: SessionName,
    session = sessionToken(name),
    agent = this.get(name.namespace, name.agent),
  ): PoolRequest {
    const {
      gpuModels = [],
      isolation,
      labels = [],
      affinity = [],
      antiAffinity = [],
      spread = "",
    } = agent?.placement ?? {};
    return {
      session,
      namespace: name.namespace,
      resources: resourcesOf(agent),
      diskMib: agent?.resources?.diskMib ?? 0,
      models: gpuModels,
      // a class of a later version is kept by sharing with nobody
      isolation: isolationOf(isolation) ?? "dedicated",
      labels,
      affinity,
      antiAffinity,
      ...(spread !== "" && { spreadLabel: spread }),
    };
  }

  /** What a session of each agent asks for; the same list until a definition changes. */
  wanted(): readonly PoolRequest[] {
    this.#wanted ??= Array.from(this.#agents.values(), ({ namespace, name }) =>
      this.requestOf({ namespace, agent: name, key: "any" }),
    );
    return this.#wanted;
  }

  set(agent: Agent): void {
    this.delete(agentKey(agent.namespace, agent.name));
    this.#wanted = undefined;
    this.#agents.set(agentKey(agent.namespace, agent.name), agent);
    for (const service of servicesOf(agent)) {
      const key = agentKey(agent.namespace, service);
      this.#implementers.set(key, (this.#implementers.get(key) ?? new Set()).add(agent.name));
    }
  }

  delete(key: string): void {
    const known = this.#agents.get(key);
    if (known === undefined) return;
    this.#wanted = undefined;
    this.#agents.delete(key);
    for (const service of servicesOf(known))
      this.#implementers.get(agentKey(known.namespace, service))?.delete(known.name);
  }
}

function resourcesOf(agent: Agent | undefined): Resources {
  if (agent?.resources === undefined) return nothing;
  const { cpuMilli, memoryMib, gpuMilli, gpuMemoryMib } = agent.resources;
  return { cpuMilli, memoryMib, gpu: gpuRequest(gpuMilli, gpuMemoryMib) };
}

function servicesOf(agent: Agent): Set<string> {
  return new Set(agent.methods.map((method) => method.service).filter((service) => service !== ""));
}
