/**
 * The four kinds of resources, in the order in which they must reach a proxy: nothing may name what is not
 * there yet.
 */
export const kinds = ["cluster", "assignment", "listener", "route"] as const;
export type Kind = (typeof kinds)[number];

const TYPES = "type.googleapis.com/";
export const typeUrls: Readonly<Record<Kind, string>> = {
  cluster: `${TYPES}envoy.config.cluster.v3.Cluster`,
  assignment: `${TYPES}envoy.config.endpoint.v3.ClusterLoadAssignment`,
  listener: `${TYPES}envoy.config.listener.v3.Listener`,
  route: `${TYPES}envoy.config.route.v3.RouteConfiguration`,
};

export function kindOf(typeUrl: string): Kind | undefined {
  return kinds.find((kind) => typeUrls[kind] === typeUrl);
}
