// Zone `voda/testing`: agents in the process of a test.
export type { LogLine } from "@voda/proto/log-line";
export { type Explored, type ExploreOptions, explore } from "./explore.ts";
export { type DeadLetter, type TestMesh, type TestMeshOptions, testMesh } from "./test-mesh.ts";
