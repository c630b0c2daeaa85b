// The processes of one mesh on this machine: what they are called with, in which order they start and stop.
import { rmSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { bootstrap, envoyArguments, hasLast } from "@voda/envoy/bootstrap";
import { type EdgePaths, openEdgeFolder } from "@voda/proto/edge-folder";
import { nodeDiskMibMax } from "@voda/proto/placement";
import { wordsOf } from "@voda/stdx";
import { makeFolder } from "@voda/stdx/make-folder";
import { locate } from "../binaries/locate.ts";
import { freeBytes } from "../free-disk.ts";
import type { Programs } from "../programs.ts";
import { Child, type ChildSpec } from "./child.ts";
import { edgeFolder } from "./edge-folder.ts";
import { writeFirst } from "./first-write.ts";
import { KeptFiles } from "./kept-files.ts";
import { LogFile } from "./log-file.ts";
import { type Durability, natsConfig } from "./nats-config.ts";
import { natsLogin, natsLoginFile } from "./nats-login.ts";
import { claimPort, freePorts, loopback } from "./ports.ts";
import { commandOf, type ProcessRecord } from "./processes.ts";
import { answersAsEnvoy, greetsAsNats, told } from "./readiness.ts";
import type { ReadyFile } from "./ready-file.ts";
import {
  fillWords,
  isNearlyFull,
  natsConfigFile,
  storeBytesMax,
  storeFill,
  storeFolder,
  storeLimitFile,
} from "./store-fill.ts";
import { StoreWatch } from "./store-watch.ts";

/** Node processes of a mesh on one machine. */
export const nodesMax = 16;

/** By their names, without dashes. */
export type ProgramFlags = Readonly<Record<string, string | number>>;

/** `voda up` has a flag for each. */
export interface MeshSettings {
  /** An absolute path once it is started. */
  readonly dataDir: string;
  readonly nodes: number;
  /** 0 = any free port. */
  readonly ingressPort: number;
  /** What an answer survives. */
  readonly durability: Durability;
}

/** What the programs are started with, beside what the supervisor itself tells them. */
export interface PassedOnFlags {
  readonly controlplane: ProgramFlags;
  readonly node: (index: number) => ProgramFlags;
}

/** See `runMesh`, which the commands use. */
export interface MeshOptions extends MeshSettings {
  readonly passedOn: PassedOnFlags;
  readonly programs: Pick<Programs, "controlplane" | "node">;
  /** Called with each line that a child writes. */
  readonly onLine?: (child: string, line: string) => void;
  /** Tells people what is awaited, and what is wrong. */
  readonly say: (line: string) => void;
  /** Called when a child serves, for the first time or again. */
  readonly onReady?: (mesh: Mesh) => void;
}

/** The longest time that each stage of a stop may take, in its order. */
const stopMsMax = { envoy: 2000, nodes: 5000, controlplane: 1500, nats: 1500 };
/** As many as V8 takes by itself. */
const v8ThreadsMax = 4;
/** Each thread of Envoy has connections of its own to every node. */
const envoyThreadsMax = 4;

/** A file `NAME.log` per child, and `NAME.log.1` before it. */
export const logsFolder = (dataDir: string): string => join(dataDir, "logs");
/** What a start that was killed has left behind: the next one ends it. */
export const processesFile = (dataDir: string): string => join(dataDir, "processes.json");

const envoyConfigFile = (dataDir: string): string => join(dataDir, "envoy.json");

/** Chosen once: a child that starts again is found where it was. */
interface Ports {
  readonly ingress: number;
  readonly nats: number;
  readonly nodes: readonly number[];
}

async function choosePorts(options: MeshOptions): Promise<Ports> {
  const ingress = await claimPort(options.ingressPort, "--ingress-port");
  const [nats = 0, ...nodes] = await freePorts(1 + options.nodes);
  return { ingress, nats, nodes };
}

/** A running mesh: its children are started again when they die, until it is closed. */
export class Mesh implements AsyncDisposable {
  readonly #options: MeshOptions;
  readonly #ports: Ports;
  readonly #edge: EdgePaths;
  readonly #children = new Map<string, Child>();
  readonly #logs: LogFile[] = [];
  /** Of the first child that is given up: the mesh is not whole without it. */
  readonly #failed = Promise.withResolvers<never>();
  readonly #store: StoreWatch;
  /** What the mesh writes while it runs. */
  readonly files: KeptFiles;
  #isClosing = false;

  /**
   * Starts everything; `ready` tells when it serves.
   * @throws when a port is taken, a binary is missing or a file cannot be written
   */
  static async start(options: MeshOptions): Promise<Mesh> {
    const ports = await choosePorts(options);
    writeNatsFiles(options, ports.nats, writeFirst);
    return new Mesh(options, ports);
  }

  private constructor(options: MeshOptions, ports: Ports) {
    this.#options = options;
    this.#ports = ports;
    this.files = new KeptFiles(options.say);
    this.#edge = openEdgeFolder(edgeFolder(options.dataDir));
    rmSync(this.#edge.last, { recursive: true, force: true }); // the nodes of this mesh have other ports
    this.#failed.promise.catch((error: unknown) => options.onLine?.("supervisor", wordsOf(error)));
    this.#store = new StoreWatch({
      freeBytes: () => freeBytes(options.dataDir),
      restart: () => {
        // what the store may take follows what is free by then
        writeNatsFiles(options, ports.nats, (path, content) => this.files.replace(path, content));
        this.#child("nats").restart();
      },
      fullWords: () => {
        const fill = storeFill(options.dataDir);
        return fill !== undefined && isNearlyFull(fill) ? fillWords(fill) : undefined;
      },
      say: options.say,
    });
    this.#spawn(this.#natsSpec());
  }

  /** Rejects when a child keeps failing; never resolves. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Of the control plane itself. */
  get apiSocket(): string {
    return this.#edge.api;
  }

  get ingressUrl(): string {
    return `http://${loopback}:${this.#ports.ingress}`;
  }

  /**
   * nats-server first; the control plane makes the streams that the nodes use; Envoy waits for its
   * configuration anyway.
   */
  async startControlplane(): Promise<void> {
    await this.#child("nats").ready;
    this.#spawn(this.#envoySpec());
    await this.#spawn(this.#controlplaneSpec()).ready;
  }

  async startNodes(): Promise<void> {
    const nodes = this.#ports.nodes.map((_, index) => this.#spawn(this.#nodeSpec(index)));
    await Promise.all([...nodes.map((node) => node.ready), this.#child("envoy").ready]);
  }

  /** What the ready file says, but for the login; a child that died and does not serve again has pid 0. */
  describe(): ReadyFile {
    const pid = (name: string): number => {
      const child = this.#children.get(name);
      return child?.isServing === true ? (child.pid ?? 0) : 0;
    };
    const { nats, nodes } = this.#ports;
    return {
      ingress: this.ingressUrl,
      api: this.ingressUrl,
      nats: { url: `nats://${loopback}:${nats}`, pid: pid("nats") },
      envoy: { admin: this.#edge.admin, pid: pid("envoy") },
      controlplanes: [{ pid: pid("controlplane") }],
      nodes: nodes.map((port, index) => ({
        id: nodeId(index),
        pid: pid(nodeId(index)),
        ingress: `${loopback}:${port}`,
      })),
    };
  }

  /** Stops Envoy, the nodes, the control plane and nats-server in this order. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    this.#store[Symbol.dispose]();
    this.files[Symbol.dispose]();
    // Envoy first: nobody new comes in while nodes put their sessions to sleep, for which they need the
    // store.
    await this.#children.get("envoy")?.stop(stopMsMax.envoy);
    const nodes = this.#ports.nodes.flatMap((_, index) => this.#children.get(nodeId(index)) ?? []);
    await Promise.all(nodes.map((node) => node.stop(stopMsMax.nodes)));
    await this.#children.get("controlplane")?.stop(stopMsMax.controlplane);
    await this.#children.get("nats")?.stop(stopMsMax.nats);
    for (const log of this.#logs) log[Symbol.dispose]();
  }

  #child(name: string): Child {
    const child = this.#children.get(name);
    if (child === undefined) throw new Error(`${name} was not started`);
    return child;
  }

  #spawn(spec: ChildSpec): Child {
    if (this.#isClosing) throw new Error(`${spec.name} is not started: the mesh is stopping`);
    // Of all lives of the child: the reason for the last end is before the first line of the next.
    const log = new LogFile(join(logsFolder(this.#options.dataDir), `${spec.name}.log`));
    this.#logs.push(log);
    const child = new Child(spec, log, {
      onProcess: () => {
        this.#record();
        if (spec.name === "controlplane") this.#controlplaneChanged();
      },
      say: this.#options.say,
      onReady: () => {
        if (spec.name === "controlplane") this.#controlplaneChanged();
        this.#options.onReady?.(this);
      },
      onGiveUp: (error) => this.#failed.reject(error),
      // While the mesh stops, its parts miss each other; that is no news.
      onLine: (line) => {
        if (this.#isClosing) return;
        if (spec.name === "nats") this.#store.saw(line);
        this.#options.onLine?.(spec.name, line);
      },
    });
    this.#children.set(spec.name, child);
    this.#record();
    return child;
  }

  #record(): void {
    const records: ProcessRecord[] = [...this.#children.values()].flatMap(({ name, pid }) => {
      const command = pid === undefined ? undefined : commandOf(pid);
      return pid === undefined || command === undefined ? [] : [{ name, pid, command }];
    });
    this.files.replace(processesFile(this.#options.dataDir), JSON.stringify(records));
  }

  #natsSpec(): ChildSpec {
    return {
      name: "nats",
      command: locate("nats-server"),
      args: ["-c", natsConfigFile(this.#options.dataDir)],
      readiness: greetsAsNats(this.#ports.nats),
    };
  }

  #controlplaneSpec(): ChildSpec {
    const flags = {
      ...this.#natsFlags(),
      "edge-dir": edgeFolder(this.#options.dataDir),
      "listener-host": loopback,
      "listener-port": this.#ports.ingress,
      durability: this.#options.durability,
      ...this.#options.passedOn.controlplane,
    };
    return this.#program("controlplane", this.#options.programs.controlplane, flags);
  }

  #nodeSpec(index: number): ChildSpec {
    const flags = {
      ...this.#natsFlags(),
      "node-id": nodeId(index),
      "data-dir": join(this.#options.dataDir, "nodes", nodeId(index)),
      "store-limit-file": storeLimitFile(this.#options.dataDir),
      host: loopback,
      "ingress-port": this.#ports.nodes[index] ?? 0,
      durability: this.#options.durability,
      // Nodes of one machine share it: together they must not promise more than there is.
      "cpu-milli": Math.floor((availableParallelism() * 1000) / this.#options.nodes),
      "memory-mib": Math.floor(totalmem() / 1024 ** 2 / this.#options.nodes),
      "disk-mib": Math.min(
        nodeDiskMibMax,
        Math.floor(freeBytes(this.#options.dataDir) / 1024 ** 2 / this.#options.nodes),
      ),
      // No two nodes of this machine have the same GPU.
      "gpu-part": `${index}/${this.#options.nodes}`,
      ...this.#options.passedOn.node(index),
    };
    makeFolder(flags["data-dir"], 0o700);
    return this.#program(nodeId(index), this.#options.programs.node, flags);
  }

  #natsFlags(): Readonly<Record<string, string>> {
    return {
      nats: `nats://${loopback}:${this.#ports.nats}`,
      "nats-login": natsLoginFile(this.#options.dataDir),
    };
  }

  #program(name: string, file: string, flags: ProgramFlags): ChildSpec {
    const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
    const v8Flags = [`--v8-pool-size=${v8Threads(this.#options.nodes + 1)}`];
    return { name, command: process.execPath, args: [...v8Flags, file, ...args], readiness: told };
  }

  #envoySpec(): ChildSpec {
    const config = envoyConfigFile(this.#options.dataDir);
    writeFirst(config, this.#bootstrap());
    const args = [...envoyArguments(config), "--concurrency", String(envoyThreads())];
    return { name: "envoy", command: locate("envoy"), args, readiness: answersAsEnvoy(this.#edge.admin) };
  }

  /** An Envoy that waits for a control plane that has died starts with what it ran with last. */
  #controlplaneChanged(): void {
    this.files.replace(envoyConfigFile(this.#options.dataDir), this.#bootstrap());
    const envoy = this.#children.get("envoy");
    if (this.#isEnvoyAlone && envoy?.isServing === false) envoy.restart();
  }

  /** An xDS server that does not serve would keep a starting Envoy waiting: then its last state is better. */
  get #isEnvoyAlone(): boolean {
    return this.#children.get("controlplane")?.isServing !== true && hasLast(this.#edge.last);
  }

  /** What Envoy reads when it starts again: without a control plane, what it ran with last. */
  #bootstrap(): string {
    const { admin, xds, last } = this.#edge;
    const source = this.#isEnvoyAlone
      ? ({ type: "last", folder: last } as const)
      : ({ type: "xds", path: xds } as const);
    return JSON.stringify(bootstrap({ nodeId: "envoy-1", admin, source }), null, 2);
  }
}

/** What nats-server is started with, and the limit of its store, alone, for the nodes. */
function writeNatsFiles(
  { dataDir, durability }: MeshSettings,
  port: number,
  write: (path: string, content: string) => void,
): void {
  const server = { port, storeDir: storeFolder(dataDir), storeBytesMax: storeBytesMax(dataDir) };
  write(storeLimitFile(dataDir), String(server.storeBytesMax));
  write(natsConfigFile(dataDir), natsConfig({ ...server, login: natsLogin(dataDir), durability }));
}

/** Half of the cores: the nodes need the other half. */
function envoyThreads(): number {
  return Math.max(1, Math.min(envoyThreadsMax, Math.floor(availableParallelism() / 2)));
}

/** Counted from 1, as people do; it is the name of its folder and its log. */
function nodeId(index: number): string {
  return `n${index + 1}`;
}

/**
 * V8's threads for collecting and compiling, of each program: its part of the cores. Those of all together
 * would take them from the programs.
 */
function v8Threads(programs: number): number {
  return Math.max(1, Math.min(v8ThreadsMax, Math.floor(availableParallelism() / programs)));
}
