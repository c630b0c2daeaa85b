// What proxies accepted last, on disk: a proxy that starts while no xDS server lives runs with it, and
// follows it when one is back.
import { mkdirSync } from "node:fs";
import { create, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { replaceFile } from "@voda/stdx/replace-file";
import { DiscoveryResponseSchema } from "../gen/envoy/service/discovery/v3/discovery_pb.ts";
import { lastFiles } from "./last-files.ts";
import { inFile } from "./resource/build.ts";
import { type ResourceKind, typeUrls } from "./resource/kind.ts";
import { type Cluster, HttpConnectionManagerSchema, type Listener } from "./resource/types.ts";
import { seal } from "./seal.ts";
import type { Snapshot } from "./snapshot/snapshot.ts";

/** Routes hold the edge's secret. */
const folderMode = 0o700;
/** Endpoints before the clusters that wait for them, routes before the listener that does. */
const order: readonly ResourceKind[] = ["assignment", "cluster", "route", "listener"];

/**
 * A proxy reads the old file or the new one. Files outlive a crash of the program, not of the machine, after
 * which the whole mesh starts anew.
 * @throws SnapshotRefusedError when it is not consistent; the files before stay
 */
export function keepLast(folder: string, snapshot: Snapshot): void {
  const files = lastFiles(folder);
  const { resources } = seal({
    ...snapshot,
    clusters: snapshot.clusters.map((one) => clusterFromFiles(one, files.assignment)),
    listeners: snapshot.listeners.map((one) => listenerFromFiles(one, files.route)),
  });
  mkdirSync(folder, { recursive: true, mode: folderMode });
  for (const kind of order) {
    const typeUrl = typeUrls[kind];
    const response = create(DiscoveryResponseSchema, {
      typeUrl,
      resources: [...resources[kind].values()].map(({ body }) => ({ typeUrl, value: body })),
    });
    replaceFile(files[kind], toBinary(DiscoveryResponseSchema, response));
  }
}

/** What is asked for over xDS would never come: such a proxy has no stream. */
function clusterFromFiles(cluster: Cluster, file: string): Cluster {
  const { edsClusterConfig } = cluster;
  if (edsClusterConfig === undefined) return cluster;
  return { ...cluster, edsClusterConfig: { ...edsClusterConfig, edsConfig: inFile(file) } };
}

function listenerFromFiles(listener: Listener, file: string): Listener {
  const filterChains = listener.filterChains.map((chain) => ({
    ...chain,
    filters: chain.filters.map((filter) =>
      filter.configType.case === "typedConfig"
        ? {
            ...filter,
            configType: { ...filter.configType, value: managerFromFiles(filter.configType.value, file) },
          }
        : filter,
    ),
  }));
  return { ...listener, filterChains };
}

/** Filters of other kinds ask for nothing, and pass as they are. */
function managerFromFiles(packed: Any, file: string): Any {
  const manager = anyUnpack(packed, HttpConnectionManagerSchema);
  if (manager?.routeSpecifier.case !== "rds") return packed;
  manager.routeSpecifier.value.configSource = inFile(file);
  return anyPack(HttpConnectionManagerSchema, manager);
}
