import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { type Cluster, type ClusterNode, type ClusterOptions, startCluster } from "./cluster.ts";

export interface TwoNodes {
  readonly cluster: Cluster;
  readonly n1: ClusterNode;
  readonly n2: ClusterNode;
}

/**
 * A cluster for all tests of the file that calls this at its top; it ends after them.
 * @param agents the name of a config in `../agents`, for example `letters`; default as for a cluster
 */
export async function openTwoNodes(
  agents?: string,
  options: Omit<ClusterOptions, "nodes" | "config"> = {},
): Promise<TwoNodes> {
  const cluster = await startCluster({
    ...options,
    nodes: 2,
    ...(agents !== undefined && {
      config: fileURLToPath(new URL(`../agents/${agents}.config.ts`, import.meta.url)),
    }),
  });
  after(() => cluster[Symbol.asyncDispose]());
  const [n1, n2] = cluster.nodes as [ClusterNode, ClusterNode];
  return { cluster, n1, n2 };
}
