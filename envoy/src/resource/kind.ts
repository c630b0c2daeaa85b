/**
 * The four kinds of resources, in the order in which they must reach a proxy: nothing may name what is not
 * there yet.
 */
export const kinds = ["cluster", "assignment", "listener", "route"] as const;
/** The kinds of resources, in the order in which they are sent. */
export type ResourceKind = (typeof kinds)[number];

const typePrefix = "type.googleapis.com/";
/** What each kind is called on the wire. */
export const typeUrls: Readonly<Record<ResourceKind, string>> = {
  cluster: `${typePrefix}envoy.config.cluster.v3.Cluster`,
  assignment: `${typePrefix}envoy.config.endpoint.v3.ClusterLoadAssignment`,
  listener: `${typePrefix}envoy.config.listener.v3.Listener`,
  route: `${typePrefix}envoy.config.route.v3.RouteConfiguration`,
};

/** `undefined` for types that are not served here, such as secrets. */
export function kindOf(typeUrl: string): ResourceKind | undefined {
  return kinds.find((kind) => typeUrls[kind] === typeUrl);
}
