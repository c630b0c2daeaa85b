// Those of Envoy's own messages that are in use here, from the generated types.
export {
  type AccessLogFilter,
  AccessLogFilterSchema,
  ComparisonFilter_Op,
} from "../../gen/envoy/config/accesslog/v3/accesslog_pb.ts";
export { CircuitBreakersSchema } from "../../gen/envoy/config/cluster/v3/circuit_breaker_pb.ts";
export {
  type Cluster,
  Cluster_DiscoveryType,
  ClusterSchema,
  LoadBalancingPolicySchema,
} from "../../gen/envoy/config/cluster/v3/cluster_pb.ts";
export { type Address, AddressSchema } from "../../gen/envoy/config/core/v3/address_pb.ts";
export { HeaderValueOption_HeaderAppendAction } from "../../gen/envoy/config/core/v3/base_pb.ts";
export {
  ApiVersion,
  type ConfigSource,
  ConfigSourceSchema,
} from "../../gen/envoy/config/core/v3/config_source_pb.ts";
export {
  type TypedExtensionConfig,
  TypedExtensionConfigSchema,
} from "../../gen/envoy/config/core/v3/extension_pb.ts";
export { HealthStatus } from "../../gen/envoy/config/core/v3/health_check_pb.ts";
export {
  type LbEndpoint,
  LbEndpointSchema,
} from "../../gen/envoy/config/endpoint/v3/endpoint_components_pb.ts";
export {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from "../../gen/envoy/config/endpoint/v3/endpoint_pb.ts";
export { type Listener, ListenerSchema } from "../../gen/envoy/config/listener/v3/listener_pb.ts";
export {
  HeaderMatcherSchema,
  RetryPolicySchema,
  type Route,
  RouteSchema,
} from "../../gen/envoy/config/route/v3/route_components_pb.ts";
export {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from "../../gen/envoy/config/route/v3/route_pb.ts";
export {
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
} from "../../gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts";
export { HeaderMutationSchema as HeaderMutationFilterSchema } from "../../gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.ts";
export {
  Config_ValueType as HeaderToMetadata_ValueType,
  ConfigSchema as HeaderToMetadataSchema,
} from "../../gen/envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata_pb.ts";
export { RouterSchema } from "../../gen/envoy/extensions/filters/http/router/v3/router_pb.ts";
export { HttpInspectorSchema } from "../../gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts";
export {
  HttpConnectionManager_CodecType,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManagerSchema,
  type LocalReplyConfig,
  LocalReplyConfigSchema,
  type ResponseMapper,
  ResponseMapperSchema,
} from "../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
export { HeaderMutationSchema as EarlyHeaderMutationSchema } from "../../gen/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation_pb.ts";
export { MaglevSchema } from "../../gen/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb.ts";
export { OverrideHostSchema } from "../../gen/envoy/extensions/load_balancing_policies/override_host/v3/override_host_pb.ts";
export { PreviousHostsPredicateSchema } from "../../gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.ts";
export { HttpProtocolOptionsSchema } from "../../gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts";
