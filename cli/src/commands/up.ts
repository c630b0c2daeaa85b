// `voda up` and `voda dev`: the whole mesh on this machine, until Ctrl-C.
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isLabel, labelCharactersMax } from "@voda/proto/placement";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { AgentDefinition } from "voda/definition";
import { type Api, connectApi, defaultUrl } from "../api.ts";
import { installBinaries } from "../binaries/install.ts";
import { bundleConfig, configName } from "../bundle/bundle.ts";
import { readAgents } from "../bundle/definitions.ts";
import { deployRequest } from "../bundle/deploy-request.ts";
import { watchConfig } from "../bundle/watch.ts";
import { CliError, failureOf } from "../failure.ts";
import { jsonOption, parseWhole, portMax } from "../options.ts";
import { duration, type Output } from "../print.ts";
import { programs } from "../programs.ts";
import { logsFolder, type Mesh } from "../up/mesh.ts";
import type { Durability } from "../up/nats-config.ts";
import { runMesh } from "../up/run.ts";
import { turnLine } from "../up/turn-line.ts";
import { welcome } from "../up/welcome.ts";

interface UpFlags {
  readonly config: string;
  readonly dataDir: string;
  readonly nodes: number;
  readonly ingressPort: number;
  readonly durability: Durability;
  readonly gpus?: string;
  readonly zones?: readonly string[];
  readonly placementPolicy?: string;
  readonly readyFile?: string;
  readonly json?: true;
}

const nodesMax = 16;
const defaultPort = Number(new URL(defaultUrl).port);
const pollEveryMs = 20;
const tellEveryMs = 10_000;

export function addUp(program: Command, output: Output): void {
  withMeshFlags(program.command("up").description("run the mesh on this machine"), 2).action(
    (flags: UpFlags) => up(flags, output, "up"),
  );
  withMeshFlags(program.command("dev").description("run the mesh and deploy again on each save"), 1).action(
    (flags: UpFlags) => up(flags, output, "dev"),
  );
}

function withMeshFlags(command: Command, nodes: number): Command {
  return command
    .addOption(new Option("--config <file>", "the agents to run").default(configName))
    .addOption(new Option("--data-dir <folder>", "where state and logs are kept").default(".voda"))
    .addOption(new Option("--nodes <n>", "node processes").default(nodes).argParser(parseWhole(1, nodesMax)))
    .addOption(
      new Option("--ingress-port <port>", "port of the URL that clients use; 0 = any free port")
        .default(defaultPort)
        .argParser(parseWhole(0, portMax)),
    )
    .addOption(
      new Option("--durability <mode>", "process: an answer survives a killed process; disk: a power loss")
        .choices(["process", "disk"])
        .default("process"),
    )
    .addOption(
      new Option(
        "--gpus <file>",
        "declares the machine's GPUs as JSON; default: what nvidia-smi and amd-smi tell",
      ),
    )
    .addOption(
      new Option(
        "--zones <names>",
        "zones that the nodes are in, in turn, as in a,b; default: none is named",
      ).argParser(parseZones),
    )
    .addOption(
      new Option(
        "--placement-policy <name>",
        "what ranks the nodes that fit: bpf (default), fgd, bestFit, spread, ...",
      ),
    )
    .addOption(
      new Option("--ready-file <file>", "written when the mesh serves, and after each restart of a part"),
    )
    .addOption(jsonOption());
}

function parseZones(text: string): string[] {
  const zones = text.split(",");
  if (!zones.every(isLabel))
    throw new InvalidArgumentError(
      `write names with commas between: each has 1 to ${labelCharactersMax} letters, digits, -, _ and .`,
    );
  return zones;
}

async function up(flags: UpFlags, output: Output, mode: "up" | "dev"): Promise<void> {
  const startedMs = performance.now();
  const { nodes, ingressPort, durability, readyFile } = flags;
  const dataDir = resolve(flags.dataDir);
  const config = resolve(flags.config);
  const missing = installBinaries();
  if (missing.length > 0) throw new CliError(missing.join("; "));
  let agents: readonly AgentDefinition[] = [];
  const say = (line: string): void => output.err(`voda: ${line}`);
  await runMesh({
    dataDir,
    nodes,
    ingressPort,
    durability,
    programs: programs(),
    say,
    ...(flags.gpus !== undefined && { gpus: resolve(flags.gpus) }),
    ...(flags.zones !== undefined && { zones: flags.zones }),
    ...(flags.placementPolicy !== undefined && { placementPolicy: flags.placementPolicy }),
    ...(readyFile !== undefined && { readyFile }),
    ...(mode === "dev" && { onLine: (child, line) => tellTurn(child, line, output) }),
    serve: async (mesh) => {
      agents = await serve(mesh, compile(config, dataDir), nodes, say);
    },
    accompany: (mesh) => {
      const took = duration(performance.now() - startedMs);
      if (flags.json === true) output.out(JSON.stringify(mesh.describe()));
      else
        for (const line of welcome({ mesh: mesh.describe(), agents, logs: logsFolder(dataDir), took }))
          output.out(line);
      return mode === "dev" ? watchConfig(config, () => redeploy(mesh, config, dataDir, output)) : undefined;
    },
  });
}

interface Compiled {
  readonly agents: readonly AgentDefinition[];
  readonly request: ReturnType<typeof deployRequest>;
}

async function compile(config: string, dataDir: string): Promise<Compiled> {
  const bundle = await bundleConfig(config);
  const agents = await readAgents(bundle, programs().describe, join(dataDir, "bundles"));
  return { agents, request: deployRequest(bundle, agents) };
}

/** Starts what is not running yet, deploys, and waits until the way through Envoy to every node is open. */
async function serve(
  mesh: Mesh,
  compiled: Promise<Compiled>,
  nodes: number,
  say: (line: string) => void,
): Promise<readonly AgentDefinition[]> {
  const [{ agents, request }] = await Promise.all([compiled, mesh.startControlplane()]);
  // Before the nodes: a node is ready once it runs what is deployed by then.
  await connectApi(mesh.apiUrl).agents.deployAgents(request);
  await mesh.startNodes();
  await nodesReady(connectApi(mesh.ingressUrl), nodes, say);
  return agents;
}

/** The children serve by now, so this is short; whatever it is not, somebody who waits is told. */
async function nodesReady(api: Api, nodes: number, say: (line: string) => void): Promise<void> {
  let toldMs = performance.now();
  for (;;) {
    const listed = await api.nodes.listNodes({});
    const ready = listed.nodes.filter((node) => node.ready).length;
    if (ready >= nodes) return;
    if (performance.now() - toldMs > tellEveryMs) {
      toldMs = performance.now();
      say(`waiting for ${nodes - ready} of ${nodes} nodes to be listed as ready; see the logs of the nodes`);
    }
    await delay(pollEveryMs);
  }
}

async function redeploy(mesh: Mesh, config: string, dataDir: string, output: Output): Promise<void> {
  const startedMs = performance.now();
  try {
    const { agents, request } = await compile(config, dataDir);
    await connectApi(mesh.apiUrl).agents.deployAgents(request);
    const names = agents.map((agent) => agent.name).join(", ");
    output.out(
      `deployed ${names} as ${request.agents[0]?.revision.slice(0, 12)} in ${duration(performance.now() - startedMs)}`,
    );
  } catch (error) {
    output.err(`voda: not deployed, the code before goes on: ${failureOf(error).line}`);
  }
}

function tellTurn(child: string, line: string, output: Output): void {
  const told = turnLine(child, line);
  if (told !== undefined) output.out(told);
}
