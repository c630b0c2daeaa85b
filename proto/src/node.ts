// The messages between the planes, `voda.node.v1`.
export * from "../gen/voda/node/v1/node_pb.ts";
