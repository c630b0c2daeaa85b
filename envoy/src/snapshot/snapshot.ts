import type { ResourceKind } from "../resource/kind.ts";
import type { Cluster, ClusterLoadAssignment, Listener, RouteConfiguration } from "../resource/types.ts";

/** Everything that the proxies are to run with, at one moment. */
export interface Snapshot {
  readonly clusters: readonly Cluster[];
  readonly assignments: readonly ClusterLoadAssignment[];
  readonly listeners: readonly Listener[];
  readonly routes: readonly RouteConfiguration[];
}

/**
 * A resource as it goes on the wire. Equal versions mean equal bytes, on every server and after every
 * restart.
 */
export interface Sealed {
  readonly name: string;
  readonly version: string;
  readonly body: Uint8Array;
}

/** A checked snapshot in bytes: encoded once, however many proxies there are. */
export interface SealedSnapshot {
  readonly resources: Readonly<Record<ResourceKind, ReadonlyMap<string, Sealed>>>;
  /** Names of the assignments that each cluster takes its endpoints from; only clusters that do. */
  readonly assignmentOf: ReadonlyMap<string, string>;
}

/** The name under which a cluster asks for its endpoints, or `undefined` when it has them itself. */
export function assignmentName(cluster: Cluster): string | undefined {
  const config = cluster.edsClusterConfig;
  if (config === undefined) return undefined;
  return config.serviceName === "" ? cluster.name : config.serviceName;
}
