// A control plane and nodes as real processes on a real nats-server, without Envoy: what a node's own ingress
// promises.
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { bundleConfig, deployRequest, readAgents } from "@voda/cli/harness";
import { AgentService } from "@voda/proto/api";
import { type Nats, startNats } from "./nats.ts";
import { type RunningProcess, startProcess } from "./process.ts";
import { programs } from "./programs.ts";
import { openRelay } from "./relay.ts";
import { waitUntil } from "./wait.ts";

export interface ClusterNode {
  readonly id: string;
  /** URL of its ingress; the same after a restart. */
  readonly url: string;
  process(): RunningProcess;
  /** SIGKILL. */
  kill9(): Promise<void>;
  /** Starts it again, after `kill9` or `stop`, with its id, folder and port. */
  restart(): Promise<void>;
}

export interface Cluster extends AsyncDisposable {
  readonly nats: Nats;
  readonly apiUrl: string;
  readonly pickerUrl: string;
  readonly nodes: readonly ClusterNode[];
  /** Bundles a config and deploys its agents; resolves when every node has them. */
  deploy(config: string): Promise<void>;
  /** The store gets another `storeBytesMax`, and is started again with it. */
  resizeStore(storeBytesMax: number): Promise<void>;
}

export const testAgents = fileURLToPath(new URL("../agents/voda.config.ts", import.meta.url));

export interface ClusterOptions {
  readonly nodes: number;
  /** Folder of the store; default is a temporary one. */
  readonly storeDir?: string;
  /** Default: `testAgents`. */
  readonly config?: string;
  /** `max_file_store` of the server, told to the nodes. */
  readonly storeBytesMax?: number;
  /** More flags of every node. */
  readonly nodeFlags?: readonly string[];
  /** By how much the wall clocks of nodes, by their ids, and of "controlplane" are ahead. */
  readonly wallAheadMs?: Readonly<Record<string, number>>;
}

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), "voda-cluster-"));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const { storeDir, storeBytesMax } = options;
  const nats = stack.use(
    await startNats({
      ...(storeDir !== undefined && { dir: storeDir }),
      ...(storeBytesMax !== undefined && { storeBytesMax }),
    }),
  );
  if (storeBytesMax !== undefined) writeFileSync(limitFile(folder), String(storeBytesMax));
  const controlplane = stack.use(
    await startProgram(
      programs().controlplane,
      ["--nats", nats.url, "--edge-dir", join(folder, "edge")],
      shiftWall(options.wallAheadMs?.["controlplane"]),
    ),
  );
  const told = addressesOf(controlplane);
  const [api, picker] = [
    stack.use(await openRelay(told["api"] ?? "")),
    stack.use(await openRelay(told["picker"] ?? "")),
  ];
  const nodes = await Promise.all(
    Array.from({ length: options.nodes }, (_, i) => startNode(`n${i + 1}`, nats.url, folder, options)),
  );
  for (const node of nodes) stack.defer(() => node.process().stop());
  const cluster = { nats, apiUrl: `http://${api.address}`, pickerUrl: `http://${picker.address}`, nodes };
  const deploy = (config: string): Promise<void> => deployTo(cluster, config, folder);
  await deploy(options.config ?? testAgents);
  const resizeStore = async (bytes: number): Promise<void> => {
    writeFileSync(limitFile(folder), String(bytes));
    await nats.restart({ storeBytesMax: bytes });
  };
  const owned = stack.move();
  return { ...cluster, deploy, resizeStore, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const limitFile = (folder: string): string => join(folder, "store-limit");

async function startNode(
  id: string,
  natsUrl: string,
  folder: string,
  { nodeFlags: flags = [], wallAheadMs = {}, storeBytesMax }: ClusterOptions,
): Promise<ClusterNode> {
  const limit = storeBytesMax === undefined ? [] : ["--store-limit-file", limitFile(folder)];
  const args = ["--nats", natsUrl, "--node-id", id, "--data-dir", join(folder, id), ...limit, ...flags];
  const start = (port: string): Promise<RunningProcess> =>
    startProgram(programs().node, [...args, "--ingress-port", port], shiftWall(wallAheadMs[id]));
  let running = await start("0");
  const { ingress } = addressesOf(running);
  const port = ingress?.split(":")[1] ?? "0";
  return {
    id,
    url: `http://${ingress}`,
    process: () => running,
    kill9: () => running.kill9(),
    async restart() {
      running = await start(port);
    },
  };
}

/** Runs a module first in the process and its threads: the product has no switch for it. */
const shiftWall = (aheadMs: number | undefined): readonly string[] =>
  aheadMs === undefined
    ? []
    : ["--import", `data:text/javascript,const now = Date.now; Date.now = () => now() + ${aheadMs};`];

function startProgram(
  file: string,
  args: readonly string[],
  nodeFlags: readonly string[] = [],
): Promise<RunningProcess> {
  return startProcess({
    command: process.execPath,
    args: [...nodeFlags, file, ...args],
    ipc: true,
    ready: (_, told) => told !== undefined,
  });
}

/** Where it serves, as it told. */
function addressesOf(program: RunningProcess): Readonly<Record<string, string>> {
  return program.told() as Record<string, string>;
}

async function deployTo(
  cluster: Pick<Cluster, "apiUrl" | "nodes">,
  config: string,
  folder: string,
): Promise<void> {
  const bundle = await bundleConfig(config);
  const agents = await readAgents(bundle, programs().describe, join(folder, "bundles"));
  const client = createClient(
    AgentService,
    createConnectTransport({ baseUrl: cluster.apiUrl, httpVersion: "1.1" }),
  );
  await client.deployAgents(deployRequest(bundle, agents));
  const isDeployed = (node: ClusterNode): boolean =>
    agents.every(({ name }) =>
      node.process().output().includes(`"agent":"${name}","revision":"${bundle.revision}"`),
    );
  await waitUntil(() => cluster.nodes.every(isDeployed), "every node has the agents");
}

/** Publishes code that is no bundle, or a bad one, for an agent that is there. */
export async function deployInstead(
  { apiUrl }: Pick<Cluster, "apiUrl">,
  name: string,
  code: string,
): Promise<{ readonly status: number; readonly message: string }> {
  const post = (method: string, request: object): Promise<Response> =>
    fetch(`${apiUrl}/voda.api.v1.AgentService/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
    });
  const { agent } = (await (await post("GetAgent", { name })).json()) as { agent: object };
  const bundle = Buffer.from(code).toString("base64");
  const revision = createHash("sha256").update(code).digest("hex");
  const response = await post("DeployAgents", { bundle, agents: [{ ...agent, revision }] });
  const { message = "" } = (await response.json()) as { message?: string };
  return { status: response.status, message };
}
