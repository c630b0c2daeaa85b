// What must hold before a snapshot is published. Envoy accepts most of these mistakes and answers 503 for
// them.
import { anyIs, anyUnpack } from "@bufbuild/protobuf/wkt";
import {
  type Address,
  type ClusterLoadAssignment,
  ExtAuthzSchema,
  HttpConnectionManagerSchema,
  type Listener,
  type Route,
  type RouteConfiguration,
} from "../resource/types.ts";
import { assignmentName, type Snapshot } from "./snapshot.ts";

/** A port has 16 bits; 0 is none that a proxy could connect to. */
const portMax = 65_535;

/** Everything that is wrong with the snapshot, in words; empty when it may be published. */
export function problems(snapshot: Snapshot): string[] {
  return [
    ...missing(snapshot),
    ...duplicates(snapshot),
    ...snapshot.clusters.flatMap((cluster) =>
      cluster.loadAssignment === undefined ? [] : assignmentProblems(cluster.loadAssignment),
    ),
    ...snapshot.assignments.flatMap(assignmentProblems),
    ...clusterProblems(snapshot),
    ...snapshot.routes.flatMap((route) => routeProblems(route, snapshot)),
    ...snapshot.listeners.flatMap((listener) => listenerProblems(listener, snapshot)),
  ];
}

/**
 * An empty set is consistent and yet never meant: proxies would drop all they have. The first snapshot is
 * published when there is something to publish, and before it they keep what they run with.
 */
function missing({ listeners, clusters }: Snapshot): string[] {
  return [
    ...(listeners.length === 0 ? ["no listener: a proxy with this would refuse every connection"] : []),
    ...(clusters.length === 0 ? ["no cluster: a proxy with this could send nothing on"] : []),
  ];
}

/** Resources are sealed, sent and accepted by their names: of two with one name, one would vanish unseen. */
function duplicates({ clusters, assignments, listeners, routes }: Snapshot): string[] {
  return [
    ...twice("cluster", clusters),
    ...twice("route configuration", routes),
    ...twice("listener", listeners),
    ...twice(
      "assignment",
      assignments.map((one) => ({ name: one.clusterName })),
    ),
  ];
}

/** A name that is there three times is told twice. */
function twice(what: string, list: readonly { readonly name: string }[]): string[] {
  const seen = new Set<string>();
  const found: string[] = [];
  for (const { name } of list) {
    if (name === "") found.push(`a ${what} has no name`);
    else if (seen.has(name)) found.push(`${what} ${JSON.stringify(name)} is there twice`);
    seen.add(name);
  }
  return found;
}

/**
 * Clusters and assignments belong together in both directions. A cluster whose endpoints never come stays
 * warming in Envoy and holds up the listeners and routes that wait for it (see `subscription/`).
 */
function clusterProblems({ clusters, assignments }: Snapshot): string[] {
  const wanted = new Map(clusters.map((cluster) => [assignmentName(cluster), cluster.name]));
  const given = new Set(assignments.map((one) => one.clusterName));
  return [
    ...[...wanted].flatMap(([name, cluster]) =>
      name === undefined || given.has(name)
        ? []
        : [`cluster "${cluster}" waits for the assignment "${name}", which is not there`],
    ),
    ...[...given].flatMap((name) => (wanted.has(name) ? [] : [`assignment "${name}" belongs to no cluster`])),
  ];
}

/** Of endpoints that a cluster has inline as well as of those that come as a resource of their own. */
function assignmentProblems({ clusterName, endpoints }: ClusterLoadAssignment): string[] {
  const all = endpoints.flatMap((locality) => locality.lbEndpoints);
  if (all.length === 0)
    return [`assignment "${clusterName}" is empty: every request to it would be answered with 503`];
  const seen = new Set<string>();
  return all.flatMap(({ hostIdentifier }) => {
    if (hostIdentifier.case !== "endpoint")
      return [`assignment "${clusterName}" has an endpoint without an address`];
    const { text, problem } = readAddress(hostIdentifier.value.address);
    if (problem !== undefined) return [`assignment "${clusterName}": ${problem}`];
    if (seen.has(text)) return [`assignment "${clusterName}" has the endpoint ${text} twice`];
    seen.add(text);
    return [];
  });
}

/** Ports of an IP address, and unix sockets; names would need what the bootstrap does not set up. */
function readAddress(address: Address | undefined): { text: string; problem?: string } {
  const inner = address?.address;
  if (inner?.case === "pipe") {
    const text = inner.value.path;
    return text.startsWith("/") ? { text } : { text, problem: `the socket "${text}" is no absolute path` };
  }
  if (inner?.case !== "socketAddress")
    return { text: "", problem: "an address is not an IP address with a port" };
  const { address: host, portSpecifier } = inner.value;
  const port = portSpecifier.case === "portValue" ? portSpecifier.value : 0;
  const text = `${host}:${port}`;
  if (host === "") return { text, problem: `the address ${text} has no host` };
  const isPort = Number.isInteger(port) && port >= 1 && port <= portMax;
  return isPort ? { text } : { text, problem: `the port of ${text} is not in 1 to ${portMax}` };
}

/** A route to an unknown cluster is accepted by Envoy; the requests that take it are answered 503. */
function routeProblems(config: RouteConfiguration, { clusters }: Snapshot): string[] {
  const known = new Set(clusters.map((cluster) => cluster.name));
  const routes = config.virtualHosts.flatMap((host) => host.routes);
  if (routes.length === 0) return [`route configuration "${config.name}" has no route`];
  return routes
    .flatMap(clustersOf)
    .filter((name) => !known.has(name))
    .map((name) => `route configuration "${config.name}" sends to the cluster "${name}", which is not there`);
}

/** None for answers of Envoy's own and redirects; a cluster that a header names cannot be checked here. */
function clustersOf({ action }: Route): string[] {
  if (action.case !== "route") return [];
  const specifier = action.value.clusterSpecifier;
  if (specifier.case === "cluster") return [specifier.value];
  return specifier.case === "weightedClusters" ? specifier.value.clusters.map((one) => one.name) : [];
}

/**
 * What a listener asks for by name: its route configuration, and the cluster of its ext_authz filter. Without
 * the first it never starts to listen, without the second every request fails.
 */
function listenerProblems(listener: Listener, { routes, clusters }: Snapshot): string[] {
  const { problem } = readAddress(listener.address);
  const found = problem === undefined ? [] : [`listener "${listener.name}": ${problem}`];
  for (const filter of listener.filterChains.flatMap((chain) => chain.filters)) {
    if (filter.configType.case !== "typedConfig") continue;
    const manager = anyUnpack(filter.configType.value, HttpConnectionManagerSchema);
    if (manager === undefined) continue;
    const asked =
      manager.routeSpecifier.case === "rds" ? manager.routeSpecifier.value.routeConfigName : undefined;
    if (asked !== undefined && !routes.some((route) => route.name === asked)) {
      found.push(
        `listener "${listener.name}" waits for the route configuration "${asked}", which is not there`,
      );
    }
    for (const { configType } of manager.httpFilters) {
      if (configType.case !== "typedConfig" || !anyIs(configType.value, ExtAuthzSchema)) continue;
      const services = anyUnpack(configType.value, ExtAuthzSchema)?.services;
      const uri = services?.case === "httpService" ? services.value.serverUri?.httpUpstreamType : undefined;
      if (uri?.case === "cluster" && !clusters.some((cluster) => cluster.name === uri.value)) {
        found.push(`listener "${listener.name}" asks the cluster "${uri.value}", which is not there`);
      }
    }
  }
  return found;
}
