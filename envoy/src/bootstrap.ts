// What an Envoy is started with; everything else it learns from the xDS server.

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface BootstrapOptions {
  /** Tells proxies apart in the server's status. */
  readonly nodeId: string;
  readonly admin: Endpoint;
  readonly xds: Endpoint;
}

/** Streams on a replaced listener are cut after this; listeners of a mesh are not replaced, so it only has to be long. */
export const drainSeconds = 86_400;

const socket = ({ host, port }: Endpoint) => ({ socket_address: { address: host, port_value: port } });
const HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** Envoy's bootstrap configuration as plain data; write it as JSON to a file whose name ends in `.json`. */
export function bootstrap({ nodeId, admin, xds }: BootstrapOptions): object {
  return {
    node: { id: nodeId, cluster: "voda-ingress" },
    admin: { address: socket(admin) },
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
    static_resources: { clusters: [xdsCluster(xds)] },
  };
}

function xdsCluster(xds: Endpoint): object {
  return {
    name: "xds",
    type: "STATIC",
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      [HTTP]: {
        "@type": `type.googleapis.com/${HTTP}`,
        explicit_http_config: {
          http2_protocol_options: { connection_keepalive: { interval: "30s", timeout: "5s" } },
        },
      },
    },
    load_assignment: {
      cluster_name: "xds",
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socket(xds) } }] }],
    },
  };
}

/** The command line that goes with the bootstrap file. Without hot restart several Envoys can run on one machine. */
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
