import type { Snapshot } from "@voda/envoy";
import { agentsAssignment, agentsCluster, apiCluster, pickerCluster } from "./clusters.ts";
import type { IngressConfig, IngressNode } from "./config.ts";
import { ingressListener } from "./listener.ts";
import { ingressRoutes } from "./routes.ts";

/**
 * The configuration of the ingress for these nodes. @param nodes `undefined` while there has never been one
 */
export function ingressSnapshot(config: IngressConfig, nodes: readonly IngressNode[] | undefined): Snapshot {
  const fixed = {
    listeners: [ingressListener(config)],
    routes: [ingressRoutes(config, nodes !== undefined)],
  };
  const clusters = [pickerCluster(config), apiCluster(config)];
  if (nodes === undefined) return { ...fixed, clusters, assignments: [] };
  return { ...fixed, clusters: [...clusters, agentsCluster()], assignments: [agentsAssignment(nodes)] };
}
