// From a path to a handler: built anew for each deploy, read on every request.
import type { Agent } from "@voda/proto/api";
import { MethodAccess, MethodMode } from "@voda/proto/api";
import { workflowMethodNames } from "voda/definition";
import { type Failed, fail, listOf, noMethod, onBusyOf, shown } from "../call/index.ts";
import type { Route, Routes } from "./target.ts";

interface RoutedAgent {
  /** By name, those that implement an rpc too: plain callers reach them as well. */
  readonly methods: ReadonlyMap<string, Route>;
  /** By `service/rpc`. */
  readonly rpcs: ReadonlyMap<string, Route>;
}

export interface RouteTable extends Routes {
  set(agent: Agent): void;
  /**
   * It was undeployed: its sessions stay where they are, and nobody reaches them until it is deployed again.
   */
  remove(namespace: string, name: string): void;
}

export function createRoutes(): RouteTable {
  const agents = new Map<string, RoutedAgent>();
  /** Agents that were there and are not any more, as many as there are names in the bucket of agents. */
  const removed = new Set<string>();
  /** Names of the agents that implement a service, by `namespace/service`. */
  const implementers = new Map<string, string[]>();

  const notDeployed = (namespace: string, name: string): Failed => {
    const why = removed.has(`${namespace}/${name}`)
      ? `agent ${name} was undeployed from namespace ${namespace}; its sessions are kept, and deploying it again brings them back`
      : `no agent ${name} in namespace ${namespace}; deployed are: ${namesIn(namespace, agents.keys())}`;
    return fail("agent_not_found", why);
  };
  // Anew for all: deployments are rare, and an index that is mended in places can be wrong in places.
  const index = (): void => {
    implementers.clear();
    for (const [id, agent] of agents) {
      const [namespace = "", name = ""] = id.split("/");
      for (const service of new Set([...agent.rpcs.keys()].map((path) => path.slice(0, path.indexOf("/"))))) {
        const key = `${namespace}/${service}`;
        implementers.set(key, [...(implementers.get(key) ?? []), name].sort());
      }
    }
  };

  return {
    set(agent) {
      agents.set(`${agent.namespace}/${agent.name}`, routed(agent));
      removed.delete(`${agent.namespace}/${agent.name}`);
      index();
    },
    remove(namespace, name) {
      agents.delete(`${namespace}/${name}`);
      removed.add(`${namespace}/${name}`);
      index();
    },
    plain(namespace, name, method) {
      const agent = agents.get(`${namespace}/${name}`);
      if (agent === undefined) return notDeployed(namespace, name);
      return agent.methods.get(method) ?? noPlain(name, agent, method);
    },
    rpc(service, rpc, namespace, wanted) {
      const names = implementers.get(`${namespace}/${service}`);
      if (names === undefined) {
        const why = `no agent in namespace ${namespace} implements ${shown(service)}`;
        const there = namesIn(namespace, implementers.keys());
        return fail("method_not_found", `${why}; implemented are: ${there}`);
      }
      if (wanted === undefined && names.length > 1)
        return fail(
          "bad_request",
          `${service} is implemented by ${listOf(names)}: say which in x-voda-agent`,
        );
      const name = wanted ?? names[0] ?? "";
      const agent = agents.get(`${namespace}/${name}`);
      if (agent === undefined) return notDeployed(namespace, name);
      return agent.rpcs.get(`${service}/${rpc}`) ?? noRpc(name, agent, [service, rpc], names);
    },
  };
}

/** Names of the agents, or services, of a namespace, of ids such as `namespace/agent`. */
function namesIn(namespace: string, ids: Iterable<string>): string {
  const own = [...ids].filter((id) => id.startsWith(`${namespace}/`));
  return listOf(own.map((id) => id.slice(namespace.length + 1)));
}

const onlyLooks =
  'clients may only look at its workflows, unless it says .workflows({...}, { access: "public" })';

/** Clients that may look at workflows know that there are some, and handlers of all that have them. */
function noPlain(name: string, { methods }: RoutedAgent, method: string): Failed {
  const refusal = noMethod(name, method, methods.keys());
  if (!(workflowMethodNames.has(method) && methods.has("workflowStatus"))) return refusal;
  return fail("method_not_found", `${refusal.failure.message}; ${onlyLooks}`);
}

/** `implementers`: of the service. */
function noRpc(
  name: string,
  { rpcs }: RoutedAgent,
  [service, rpc]: readonly [string, string],
  implementers: readonly string[],
): Failed {
  const own = [...rpcs.keys()].filter((path) => path.startsWith(`${service}/`));
  const why = `agent ${name} does not implement ${service}`;
  if (own.length === 0)
    return fail("method_not_found", `${why}; it is implemented by ${listOf(implementers)}`);
  const there = listOf(own.map((path) => path.slice(service.length + 1)));
  return fail("method_not_found", `${why}/${shown(rpc)}; it has: ${there}`);
}

function routed(agent: Agent): RoutedAgent {
  const methods = new Map<string, Route>();
  const rpcs = new Map<string, Route>();
  for (const method of agent.methods) {
    // as if there were none: its name is nobody's business
    if (method.access === MethodAccess.INTERNAL) continue;
    const route: Route = {
      agent: agent.name,
      method: method.name,
      readonly: method.mode === MethodMode.READONLY,
      turnMsMax: method.turnMsMax || agent.turnMsMax, // 0: the method names none of its own
      onBusy: onBusyOf(method),
      dedupeMs: agent.dedupeMs,
    };
    methods.set(method.name, route);
    if (method.service !== "") rpcs.set(`${method.service}/${method.rpc}`, route);
  }
  return { methods, rpcs };
}
