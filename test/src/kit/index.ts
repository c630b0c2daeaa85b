export { type Effect, startUpstream, type Upstream } from "@voda/cli/harness";
export { type Called, type CallOptions, call, refusal } from "./call.ts";
export { type Cluster, type ClusterNode, deployInstead, startCluster, testAgents } from "./cluster.ts";
export { type EnvoyOptions, type RunningEnvoy, startEnvoy } from "./envoy.ts";
export { freeze } from "./freeze.ts";
export { type HeldUpstream, startHeldUpstream } from "./held-upstream.ts";
export { leakCheck } from "./leaks.ts";
export { examples, type MeshOptions, pidsOf, type RunningMesh, startMesh, upExamples } from "./mesh.ts";
export { type Nats, type NatsOptions, startNats } from "./nats.ts";
export {
  outputCharactersMax,
  type ProcessOptions,
  type RunningProcess,
  runningProcesses,
  startProcess,
} from "./process.ts";
export { programs } from "./programs.ts";
export { openRelay, type Relay } from "./relay.ts";
export { signal } from "./signal.ts";
export { openTwoNodes } from "./two-nodes.ts";
export { freePort, waitUntil } from "./wait.ts";
