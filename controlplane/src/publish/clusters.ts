import { create } from "@bufbuild/protobuf";
import {
  any,
  type Cluster,
  Cluster_DiscoveryType,
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
  ClusterSchema,
  duration,
  endpoint,
  endpointOnSocket,
  extension,
  HealthStatus,
  HttpProtocolOptionsSchema,
  MaglevSchema,
  OverrideHostSchema,
  overAds,
} from "@voda/envoy";
import { clusterNames, hintMetadata, type IngressConfig, type IngressNode, ownerMetadata } from "./config.ts";
import { streamWindowBytes } from "./limits.ts";

/** Nodes are near; one that does not take a connection in this time is passed over by a retry. */
const connectMs = 1_000;
/** More connections mean that one broken one takes fewer streams with it. */
const streamsPerConnectionMax = 100;
/**
 * Nodes and the API refuse by themselves what is too much, with a reason; Envoy's own bounds are only a last
 * stop.
 */
const lastStops = {
  maxConnections: 100_000,
  maxPendingRequests: 100_000,
  maxRequests: 1_000_000,
  maxRetries: 1_000,
};

const protocolOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/**
 * HTTP/1.1 and HTTP/2 as the client speaks them: gRPC needs HTTP/2 to the end, and both servers tell them
 * apart.
 */
const asTheClient = () => ({
  [protocolOptions]: any(HttpProtocolOptionsSchema, {
    upstreamProtocolOptions: {
      case: "useDownstreamProtocolConfig",
      value: {
        httpProtocolOptions: {},
        http2ProtocolOptions: {
          maxConcurrentStreams: streamsPerConnectionMax,
          initialStreamWindowSize: streamWindowBytes,
          // however many of its streams stand still, the others go on
          initialConnectionWindowSize: streamsPerConnectionMax * streamWindowBytes,
          connectionKeepalive: { interval: duration(30_000), timeout: duration(5_000) },
        },
      },
    },
  }),
});

/** The control plane beside this Envoy, which is asked where a session is. */
export function pickerCluster({ picker }: IngressConfig): Cluster {
  return fixedCluster(clusterNames.picker, picker, {});
}

/** The same one, which serves `voda.api.v1`. */
export function apiCluster({ api }: IngressConfig): Cluster {
  return fixedCluster(clusterNames.api, api, asTheClient());
}

/** One endpoint for the life of the mesh: nothing of it has to be discovered. */
function fixedCluster(
  name: string,
  socketPath: string,
  protocols: ReturnType<typeof asTheClient> | object,
): Cluster {
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
    connectTimeout: duration(connectMs),
    typedExtensionProtocolOptions: { ...protocols },
    circuitBreakers: { thresholds: [lastStops] },
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [endpointOnSocket(socketPath)] }],
    },
  });
}

/**
 * The owner that the picker named, else the client's hint, else the hash; an address that is no node's is
 * passed over.
 */
export function agentsCluster(): Cluster {
  return create(ClusterSchema, {
    name: clusterNames.agents,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: overAds() },
    connectTimeout: duration(connectMs),
    typedExtensionProtocolOptions: asTheClient(),
    circuitBreakers: { thresholds: [lastStops] },
    loadBalancingPolicy: {
      policies: [
        {
          typedExtensionConfig: extension("envoy.load_balancing_policies.override_host", OverrideHostSchema, {
            overrideHostSources: [ownerMetadata, hintMetadata].map(({ namespace, key }) => ({
              metadata: { key: namespace, path: [{ segment: { case: "key" as const, value: key } }] },
            })),
            fallbackPolicy: {
              policies: [
                { typedExtensionConfig: extension("envoy.load_balancing_policies.maglev", MaglevSchema, {}) },
              ],
            },
          }),
        },
      ],
    },
  });
}

/** Sorted, so that the same nodes are the same bytes, whatever order they are reported in. */
export function agentsAssignment(nodes: readonly IngressNode[]): ClusterLoadAssignment {
  const sorted = [...nodes].sort((a, b) => (a.id < b.id ? -1 : 1));
  return create(ClusterLoadAssignmentSchema, {
    clusterName: clusterNames.agents,
    endpoints: [
      {
        loadBalancingWeight: 1,
        lbEndpoints: sorted.map(({ host, port, draining }) => ({
          ...endpoint(host, port),
          healthStatus: draining ? HealthStatus.DRAINING : HealthStatus.HEALTHY,
        })),
      },
    ],
  });
}
