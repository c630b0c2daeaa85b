// Small parts that most resources are made of.
import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import {
  type Address,
  AddressSchema,
  ApiVersion,
  type ConfigSource,
  ConfigSourceSchema,
  type LbEndpoint,
  LbEndpointSchema,
  type TypedExtensionConfig,
  TypedExtensionConfigSchema,
} from "./types.ts";

/** A file that Envoy reads, and reads again when another is renamed into its place. */
export function inFile(path: string): ConfigSource {
  return create(ConfigSourceSchema, {
    resourceApiVersion: ApiVersion.V3,
    configSourceSpecifier: { case: "pathConfigSource", value: { path } },
  });
}

/** A typed message packed for an extension point. */
export function any<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Any {
  return anyPack(schema, create(schema, init));
}

/** A named extension of Envoy with its typed configuration. */
export function extension<Desc extends DescMessage>(
  name: string,
  schema: Desc,
  init: MessageInitShape<Desc>,
): TypedExtensionConfig {
  return create(TypedExtensionConfigSchema, { name, typedConfig: any(schema, init) });
}

/** Whole milliseconds as protobuf's seconds and nanoseconds. */
export function duration(ms: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 };
}

/** An IP address; Envoy resolves no names here. */
export function address(host: string, port: number): Address {
  return create(AddressSchema, {
    address: {
      case: "socketAddress",
      value: { address: host, portSpecifier: { case: "portValue", value: port } },
    },
  });
}

/** One server of a cluster. */
export function endpoint(host: string, port: number): LbEndpoint {
  return create(LbEndpointSchema, {
    hostIdentifier: { case: "endpoint", value: { address: address(host, port) } },
  });
}

/** A server of this machine. */
export function endpointOnSocket(path: string): LbEndpoint {
  return create(LbEndpointSchema, {
    hostIdentifier: { case: "endpoint", value: { address: { address: { case: "pipe", value: { path } } } } },
  });
}

/** "Ask for it on the stream that this came by". */
export function overAds(): ConfigSource {
  return create(ConfigSourceSchema, {
    resourceApiVersion: ApiVersion.V3,
    configSourceSpecifier: { case: "ads", value: {} },
  });
}
