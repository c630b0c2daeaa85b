// What harnesses of tests and benches need from inside of the CLI to start what it starts. Users have
// `program.ts`.
export { type Effect, startUpstream, type Upstream } from "./bench/upstream.ts";
export { locate } from "./binaries/locate.ts";
export { bundleConfig } from "./bundle/bundle.ts";
export { readAgents } from "./bundle/definitions.ts";
export { deployRequest } from "./bundle/deploy-request.ts";
export { programs } from "./programs.ts";
export { freePorts, isPortFree } from "./up/ports.ts";
export { commandOf } from "./up/processes.ts";
export type { ReadyFile } from "./up/ready-file.ts";
