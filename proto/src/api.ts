// The public API of the control plane, `voda.api.v1`.
export * from "../gen/voda/api/v1/agents_pb.ts";
export * from "../gen/voda/api/v1/nodes_pb.ts";
export * from "../gen/voda/api/v1/placement_pb.ts";
export * from "../gen/voda/api/v1/quotas_pb.ts";
export * from "../gen/voda/api/v1/sessions_pb.ts";
