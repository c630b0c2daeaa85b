// What an Envoy is started with; everything else it learns from the xDS server, or from files.
import { lastFiles } from "./last-files.ts";

export { hasLast } from "./last-files.ts";

/** An IP address and a port of it; names are not resolved. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** What differs between two proxies of one mesh. */
export interface BootstrapOptions {
  /** Tells proxies apart in the server's status. */
  readonly nodeId: string;
  /** Path of the unix socket of Envoy's own pages: on a port any web page could reach them. */
  readonly admin: string;
  readonly source: ConfigurationSource;
}

/** Where a proxy has its configuration from. */
export type ConfigurationSource =
  /** Path of the unix socket of an xDS server. */
  | { readonly type: "xds"; readonly path: string }
  /** A folder that `keepLast` writes: what proxies accepted last, and every change of it. */
  | { readonly type: "last"; readonly folder: string };

/**
 * Streams on a replaced listener are cut after this; listeners of a mesh are not replaced, so it only has to
 * be long.
 */
export const drainSeconds = 86_400;

/** Connections of clients; one more is closed at once. */
const connectionsMax = 16_384;
/** Of Envoy's heap; near it memory is given back, then new requests are refused. */
const heapBytesMax = 2 * 1024 ** 3;
const [shrinkFrom, refuseFrom] = [0.9, 0.95];
const ownerOnly = 0o600;

const protocolOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** Envoy's bootstrap configuration as plain data; write it as JSON to a file whose name ends in `.json`. */
export function bootstrap({ nodeId, admin, source }: BootstrapOptions): object {
  return {
    node: { id: nodeId, cluster: "voda-ingress" },
    admin: { address: { pipe: { path: admin, mode: ownerOnly } } },
    overload_manager: overloadManager(),
    ...(source.type === "xds" ? overXds(source.path) : fromFiles(source.folder)),
  };
}

function overXds(path: string): object {
  return {
    dynamic_resources: {
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        set_node_on_first_message_only: true,
        grpc_services: [
          {
            envoy_grpc: {
              cluster_name: "xds",
              retry_policy: { retry_back_off: { base_interval: "0.1s", max_interval: "0.5s" } },
            },
          },
        ],
      },
      cds_config: { ads: {}, resource_api_version: "V3" },
      lds_config: { ads: {}, resource_api_version: "V3" },
    },
    static_resources: { clusters: [xdsCluster(path)] },
  };
}

/** No stream and no cluster for one: Envoy watches the folder, and reads what is renamed into it. */
function fromFiles(folder: string): object {
  const { cluster, listener } = lastFiles(folder);
  const inFile = (path: string) => ({ path_config_source: { path }, resource_api_version: "V3" });
  return { dynamic_resources: { cds_config: inFile(cluster), lds_config: inFile(listener) } };
}

const monitors = "envoy.resource_monitors";
const monitorTypes = "type.googleapis.com/envoy.extensions.resource_monitors";

function overloadManager(): object {
  const heap = `${monitors}.fixed_heap`;
  const action = (name: string, value: number) => ({
    name: `envoy.overload_actions.${name}`,
    triggers: [{ name: heap, threshold: { value } }],
  });
  return {
    resource_monitors: [
      {
        name: heap,
        typed_config: {
          "@type": `${monitorTypes}.fixed_heap.v3.FixedHeapConfig`,
          max_heap_size_bytes: heapBytesMax,
        },
      },
      {
        name: `${monitors}.global_downstream_max_connections`,
        typed_config: {
          "@type": `${monitorTypes}.downstream_connections.v3.DownstreamConnectionsConfig`,
          max_active_downstream_connections: connectionsMax,
        },
      },
    ],
    actions: [action("shrink_heap", shrinkFrom), action("stop_accepting_requests", refuseFrom)],
  };
}

function xdsCluster(path: string): object {
  return {
    name: "xds",
    type: "STATIC",
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      [protocolOptions]: {
        "@type": `type.googleapis.com/${protocolOptions}`,
        explicit_http_config: {
          http2_protocol_options: { connection_keepalive: { interval: "30s", timeout: "5s" } },
        },
      },
    },
    load_assignment: {
      cluster_name: "xds",
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }],
    },
  };
}

/**
 * The command line that goes with the bootstrap file. Without hot restart several Envoys can run on one
 * machine.
 */
export function envoyArguments(bootstrapFile: string): string[] {
  return [
    "-c",
    bootstrapFile,
    "--disable-hot-restart",
    "--drain-time-s",
    String(drainSeconds),
    "--log-level",
    "warn",
  ];
}
