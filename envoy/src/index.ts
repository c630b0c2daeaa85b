export {
  type BootstrapOptions,
  bootstrap,
  type ConfigurationSource,
  drainSeconds,
  type Endpoint,
  envoyArguments,
  hasLast,
} from "./bootstrap.ts";
export { SnapshotRefusedError } from "./errors.ts";
export { keepLast } from "./last.ts";
export { address, any, duration, endpoint, endpointOnSocket, extension, overAds } from "./resource/build.ts";
export type { ResourceKind } from "./resource/kind.ts";
export * from "./resource/types.ts";
export {
  type Nack,
  openXdsServer,
  requestBytesMax,
  streamsMax,
  subscribedNamesMax,
  type XdsOptions,
  type XdsServer,
} from "./server.ts";
export type { Snapshot } from "./snapshot/snapshot.ts";
