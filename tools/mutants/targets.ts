// Whose breaks are made, and which tests must notice them.
import { globSync } from "node:fs";

/** A room of the product, and the tests that must notice its breaks. */
export interface Target {
  readonly name: string;
  readonly sources: readonly string[];
  readonly tests: readonly string[];
}

/** Tests of a folder that start nothing. */
const pure = (folder: string): string[] =>
  globSync(`${folder}/**/*.test.ts`).filter((file) => /^[^.]+(\.prop)?\.test\.ts$/.test(file));
const sourcesOf = (folder: string): string[] =>
  globSync(`${folder}/*.ts`).filter(
    (file) => !/\.(test|worker)\.ts$|\/(index|types|constants)\.ts$/.test(file),
  );
const simulator = ["test/src/sim/sim.sim.test.ts"];
const machines = ["lane", "turn", "reactor"].flatMap((name) => pure(`dataplane/src/${name}`));

/** Files that speak to servers and threads, of which only tests with these notice anything. */
const edges = new Set([
  "dataplane/src/threads/bundle-worker.ts",
  "dataplane/src/threads/holder.ts",
  "dataplane/src/threads/workers.ts",
  "dataplane/src/commit/commit.ts",
  "dataplane/src/bus/bus.ts",
]);
const folder = (name: string, path: string, more: readonly string[] = []): Target => ({
  name,
  sources: sourcesOf(path).filter((file) => !edges.has(file)),
  tests: [...pure(path), ...more],
});
const edgeOf = (name: string, path: string): Target => ({
  name: `${name}-edge`,
  sources: [...edges].filter((file) => file.startsWith(`${path}/`)),
  tests: globSync(`${path}/*.integration.test.ts`),
});

/** In the order in which they are chosen from; `--target` names one. */
export const targets: readonly Target[] = [
  { name: "lane", sources: sourcesOf("dataplane/src/lane"), tests: [...machines, ...simulator] },
  { name: "turn", sources: sourcesOf("dataplane/src/turn"), tests: [...machines, ...simulator] },
  {
    name: "host",
    // Its ports speak to servers; the simulator has ports of its own.
    sources: [
      ...sourcesOf("dataplane/src/reactor"),
      ...["inbox", "ticks", "world"].map((file) => `dataplane/src/host/${file}.ts`),
    ],
    tests: [...pure("dataplane/src/reactor"), ...pure("dataplane/src/host"), ...simulator],
  },
  folder("call", "dataplane/src/call", pure("dataplane/src/bus")),
  folder("frame", "dataplane/src/frame"),
  folder("ring", "dataplane/src/ring"),
  folder("threads", "dataplane/src/threads"),
  edgeOf("threads", "dataplane/src/threads"),
  folder("commit", "dataplane/src/commit"),
  edgeOf("commit", "dataplane/src/commit"),
  folder("bus", "dataplane/src/bus"),
  edgeOf("bus", "dataplane/src/bus"),
  folder("publish", "controlplane/src/publish", globSync("controlplane/src/publish/*.envoy.test.ts")),
  {
    name: "stdx",
    sources: ["number-map", "linked-list"].map((file) => `stdx/src/${file}.ts`),
    tests: pure("stdx/src"),
  },
  {
    name: "snapshot",
    sources: ["state/src/snapshot.ts", "state/src/envelope.ts", "state/src/delta.ts"],
    tests: pure("state/src"),
  },
  {
    name: "books",
    sources: ["books", "held", "pool", "quota", "ranking", "gang"].map(
      (file) => `controlplane/src/placement/${file}.ts`,
    ),
    tests: [...pure("controlplane/src/placement"), ...pure("controlplane/src/directory")],
  },
  folder("xds", "envoy/src/snapshot"),
  folder("subscription", "envoy/src/subscription"),
  {
    name: "compute",
    sources: ["compute/src", "compute/src/team", "compute/src/wasm"].flatMap(sourcesOf),
    tests: pure("compute/src"),
  },
];
