// The rooms of the house and what each may import: the one table from which `npm run generate` writes the
// linter's fence (tools/gen/oxlint.json) and the diagrams of docs/ARCHITECTURE.md, and which tools/knip.ts
// reads.

/** A folder of a room's `src/`. */
export interface Folder {
  /** Sibling folders, and files of `src/` itself, that it may import. */
  readonly imports: readonly string[];
  /**
   * A pure folder takes time, chance and I/O as arguments, so that the simulator and users' tests can run it
   * in memory: nothing of Node's, and of packages and rooms only these.
   */
  readonly pure?: readonly string[];
}

/** A workspace of the product. */
export interface Room {
  /** The rooms that its code may import, by their public faces; tests may import any. */
  readonly imports: readonly string[];
  /** What the linter says to one who imports another. */
  readonly says: string;
  /** The whole room is pure: see `Folder`. */
  readonly pure?: readonly string[];
  /** Files right under `src/` compose the folders and may import all of them. */
  readonly folders: Readonly<Record<string, Folder>>;
  /** Files that others start or read by path: knip would call them dead. */
  readonly entries?: readonly string[];
}

const stdx = "@voda/stdx";
const proto = "@voda/proto";
const net = "@voda/net";
const state = "@voda/state";
const protobuf = "@bufbuild/protobuf";

/**
 * Each room stands after those it imports, but for `sdk`: `voda/testing` runs the data plane in memory, which
 * runs agents by `voda/definition` (docs/decisions/0026-testing-runs-the-product.md).
 */
export const rooms: Readonly<Record<string, Room>> = {
  stdx: {
    imports: [],
    says: "stdx imports nothing",
    folders: { memory: { imports: [] }, bench: { imports: [] } },
  },
  proto: { imports: [], says: "proto imports only its runtimes", folders: {} },
  net: { imports: [], says: "net knows nothing of sessions: it imports nothing of ours", folders: {} },
  state: {
    imports: [stdx, proto],
    says: "state imports only stdx and proto",
    pure: [stdx, proto, "yjs"],
    folders: { kinds: { imports: ["errors.ts", "field.ts", "json.ts", "piece.ts"] } },
  },
  compute: {
    imports: [stdx],
    says: "compute knows nothing of agents: it imports only stdx",
    folders: {
      wasm: { imports: [], pure: [] },
      team: { imports: ["bind.ts", "cpu.ts", "errors.ts", "kernel.ts"] },
    },
    entries: ["test/*.worker.ts"],
  },
  envoy: {
    imports: [stdx],
    says: "envoy knows nothing of sessions: it imports only stdx",
    folders: {
      resource: { imports: [], pure: [protobuf] },
      snapshot: { imports: ["resource"], pure: [protobuf] },
      subscription: { imports: ["resource", "snapshot"], pure: [] },
    },
    entries: ["tools/*.ts"],
  },
  sdk: {
    imports: [proto, "@voda/dataplane/testing"],
    says: "sdk imports only proto, and for voda/testing the world in memory that the data plane has",
    folders: {},
  },
  dataplane: {
    imports: [stdx, proto, net, state, "voda/definition", "voda/agent-message"],
    says: "the data plane imports stdx, proto, net, state, voda/definition and voda/agent-message; the planes never import each other",
    folders: {
      frame: { imports: [], pure: [] },
      call: { imports: ["frame", "recent.ts"], pure: [stdx, proto, "croner"] },
      turn: { imports: ["call"], pure: [stdx] },
      lane: { imports: ["call", "turn"], pure: [stdx, proto, state] },
      reactor: { imports: ["call", "lane"], pure: [stdx, proto] },
      nats: { imports: [] },
      ring: { imports: ["frame"] },
      commit: { imports: ["nats"] },
      store: { imports: ["nats", "commit"] },
      membership: { imports: ["nats", "commit"] },
      bus: { imports: ["frame", "call", "nats", "recent.ts"] },
      controls: { imports: ["call"] },
      threads: { imports: ["frame", "call", "turn", "ring"] },
      worker: { imports: ["call", "turn", "threads"] },
      host: {
        imports: [
          "call",
          "lane",
          "reactor",
          "commit",
          "store",
          "membership",
          "bus",
          "controls",
          "threads",
          "recent.ts",
        ],
      },
      ingress: { imports: ["call", "recent.ts"] },
      testing: { imports: ["call", "lane", "reactor", "threads", "turn", "worker", "host", "ingress"] },
    },
    entries: ["test/*.worker.ts"],
  },
  controlplane: {
    imports: [stdx, proto, net, "@voda/envoy"],
    says: "the control plane imports stdx, proto, net and envoy; the planes never import each other",
    folders: {
      lease: { imports: [], pure: [stdx] },
      placement: { imports: [], pure: [stdx, proto] },
      nats: { imports: ["errors.ts"] },
      grant: { imports: [] },
      agents: { imports: ["placement"] },
      quotas: { imports: ["placement"] },
      directory: { imports: ["lease", "placement"] },
      edge: { imports: ["nats"] },
      publish: { imports: [] },
      scheduler: { imports: ["agents", "directory", "grant", "placement", "nats", "errors.ts"] },
      "envoy-auth": { imports: ["agents", "scheduler"] },
      api: {
        imports: ["agents", "directory", "placement", "nats", "quotas", "scheduler", "errors.ts"],
      },
    },
    entries: ["bench/*.ts"],
  },
  cli: {
    imports: [stdx, proto, "voda", "voda/*", "@voda/envoy/bootstrap"],
    says: "the CLI is a client: it imports stdx, proto, voda and the bootstrap of Envoy that its supervisor writes",
    folders: {
      binaries: { imports: [] },
      bundle: { imports: ["failure.ts"] },
      up: { imports: ["binaries", "api.ts", "failure.ts", "free-disk.ts", "print.ts", "programs.ts"] },
      bench: { imports: ["up", "api.ts", "failure.ts", "programs.ts"] },
      doctor: { imports: ["binaries", "up", "api.ts", "free-disk.ts"] },
      commands: {
        imports: [
          "bench",
          "binaries",
          "bundle",
          "doctor",
          "up",
          "api.ts",
          "failure.ts",
          "options.ts",
          "print.ts",
          "programs.ts",
          "session-argument.ts",
        ],
      },
      pack: { imports: ["programs.ts"] },
    },
    entries: ["src/binaries/main.ts", "test/stand-in-*.ts"],
  },
};
