/** Envoy's bootstrap: everything but its identity, its admin port and the address of the xDS server comes by delta ADS. */
export interface BootstrapOptions {
  readonly id: string;
  readonly adminPort: number;
  readonly xdsPort: number;
}

const host = "127.0.0.1";
const socketAddress = (port: number) => ({ address: { socket_address: { address: host, port_value: port } } });

export function envoyBootstrap(options: BootstrapOptions): object {
  return {
    node: { id: options.id, cluster: "voda-ingress" },
    admin: socketAddress(options.adminPort),
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
    static_resources: { clusters: [xdsCluster(options.xdsPort)] },
  };
}

function xdsCluster(port: number): object {
  return {
    name: "xds",
    type: "STATIC",
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: { http2_protocol_options: { connection_keepalive: { interval: "30s", timeout: "5s" } } },
      },
    },
    load_assignment: { cluster_name: "xds", endpoints: [{ lb_endpoints: [{ endpoint: socketAddress(port) }] }] },
  };
}
