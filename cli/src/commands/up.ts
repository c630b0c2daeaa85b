// `voda up` and `voda dev`: the whole mesh on this machine, until Ctrl-C.
import { dirname, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import type { AgentDefinition } from "voda/definition";
import { type Api, connectApi, connectApiSocket } from "../api.ts";
import { installBinaries } from "../binaries/install.ts";
import { bundleConfig } from "../bundle/bundle.ts";
import { readAgents } from "../bundle/definitions.ts";
import { deployRequest } from "../bundle/deploy-request.ts";
import type { Stays } from "../bundle/stays.ts";
import { watchConfig } from "../bundle/watch.ts";
import { CliError, exitCodes, failureOf } from "../failure.ts";
import { defaultDataDir } from "../options.ts";
import { duration, type Output } from "../print.ts";
import { programs } from "../programs.ts";
import { keepConfig } from "../up/kept-config.ts";
import { logsFolder, type Mesh } from "../up/mesh.ts";
import { passesToNode } from "../up/readiness.ts";
import { runMesh } from "../up/run.ts";
import { turnLine } from "../up/turn-line.ts";
import { welcome } from "../up/welcome.ts";
import { type MeshFlags, programFlags, withMeshFlags } from "./mesh-flags.ts";

/** Often: whoever starts a mesh waits for it. */
const pollEveryMs = 20;
/** Seldom enough to be no noise, often enough that a start that hangs names its reason. */
const reportEveryMs = 10_000;

/** `voda up` and `voda dev`, which takes each save of the config; both run until they are told to stop. */
export function addUp(program: Command, output: Output): void {
  withMeshFlags(program.command("up").description("run the mesh on this machine"), 2).action(
    (flags: MeshFlags) => up(flags, output, "up"),
  );
  withMeshFlags(program.command("dev").description("run the mesh and deploy again on each save"), 1).action(
    (flags: MeshFlags) => up(flags, output, "dev"),
  );
}

async function up(flags: MeshFlags, output: Output, mode: "up" | "dev"): Promise<void> {
  const startedMs = performance.now();
  const { nodes } = flags;
  const dataDir = resolve(flags.dataDir);
  const config = resolve(flags.config);
  // First: nothing starts without them, and a download may be refused.
  const missing = installBinaries();
  if (missing.length > 0) throw new CliError(missing.join("; "));
  let agents: readonly AgentDefinition[] = [];
  /** Standard output is for what was asked for: the banner, or one value as JSON. */
  const say = (line: string): void => output.err(`voda: ${line}`);
  const said = new Set<string>();
  const sayOnce = (line: string): void => {
    if (!said.has(line)) say(line);
    said.add(line);
  };
  const project: Project = { config, dataDir, sayOnce, revision: undefined };
  // With --json standard output has one value.
  const show = flags.json === true ? output.err : output.out;
  await runMesh({
    ...flags,
    dataDir,
    programs: programs(),
    say,
    passedOn: programFlags(flags),
    onLine: (child, line) => {
      const told = turnLine(child, line, { folder: dirname(config), clock: "today" });
      if (told !== undefined) show(told);
    },
    serve: async (mesh) => {
      keepConfig(dataDir, config);
      agents = await serve(mesh, { nodes, say, project, isWatched: mode === "dev" });
    },
    accompany: async (mesh) => {
      const took = duration(performance.now() - startedMs);
      if (flags.json === true) output.out(JSON.stringify(mesh.describe()));
      else {
        // Commands find the mesh of this folder by themselves; elsewhere they must be told the URL.
        const isHere = dataDir === resolve(defaultDataDir);
        const lines = welcome({ mesh: mesh.describe(), agents, logs: logsFolder(dataDir), took, isHere });
        for (const line of lines) output.out(line);
      }
      // What was mended while the mesh started is deployed, too.
      const isStale = project.revision === undefined;
      return mode === "dev" ? watchConfig(config, isStale, () => redeploy(mesh, project, output)) : undefined;
    },
  });
}

/** What is compiled, and how to tell people of it. */
interface Project {
  readonly config: string;
  readonly dataDir: string;
  /** For what is as true after each save; nobody reads it twice. */
  readonly sayOnce: (line: string) => void;
  /** Told last as deployed: undefined from a save on that could not be. */
  revision: string | undefined;
}

interface Serving {
  readonly nodes: number;
  readonly say: (line: string) => void;
  readonly project: Project;
  /** Saves are taken: a mistake is told, and the next save tries again. */
  readonly isWatched: boolean;
}

interface Compiled {
  readonly agents: readonly AgentDefinition[];
  readonly request: ReturnType<typeof deployRequest>;
}

async function compile({ config, dataDir, sayOnce }: Project): Promise<Compiled> {
  const bundle = await bundleConfig(config);
  const agents = await readAgents(bundle, programs().describe, join(dataDir, "bundles"));
  const stays = staysLine(bundle.stays);
  if (stays !== undefined) sayOnce(stays);
  return { agents, request: deployRequest(bundle, agents) };
}

/** Starts what is not running yet, deploys, and waits until the way through Envoy to every node is open. */
async function serve(mesh: Mesh, options: Serving): Promise<readonly AgentDefinition[]> {
  const { nodes, say, project, isWatched } = options;
  const report = (error: unknown): undefined => {
    const { line, exitCode } = failureOf(error);
    // A config that is not there cannot be watched.
    if (!isWatched || exitCode === exitCodes.usage) throw error;
    say(`not deployed, the next save tries again: ${line}`);
  };
  // The bundler works while servers start; what ends one of them ends both.
  const [compiled] = await Promise.all([
    compile(project).catch(report),
    mesh.startControlplane().then(() => mesh.startNodes()),
  ]);
  const api = connectApi(mesh.ingressUrl);
  await opened(() => nodesMissing(api, nodes), say);
  // After the nodes: each of them loads the bundle before it is published, and says what is wrong with it.
  const deployed = compiled && (await deployFirst(mesh, compiled, project).catch(report));
  // Envoy learns of nodes after the control plane lists them: until then it refuses calls by itself.
  const noWay = "Envoy to pass calls on to a node; see its log and the control plane's";
  await opened(async () => ((await passesToNode(mesh.ingressUrl)) ? undefined : noWay), say);
  return deployed ?? [];
}

async function deployFirst(
  mesh: Mesh,
  { agents, request }: Compiled,
  project: Project,
): Promise<readonly AgentDefinition[]> {
  await deploy(connectApiSocket(mesh.apiSocket), request, project.sayOnce);
  project.revision = request.agents[0]?.revision;
  return agents;
}

/** What a node elsewhere would lack; undefined when the bundle is whole. */
function staysLine({ packages, files }: Stays): string | undefined {
  const named = [
    ...(packages.length === 0 ? [] : [`packages ${packages.join(", ")}`]),
    ...(files.length === 0 ? [] : [`what is read beside ${files.join(", ")}`]),
  ];
  if (named.length === 0) return undefined;
  return `not in the bundle, used from where it lies on this machine: ${named.join("; ")}; another machine needs it at the same paths`;
}

/**
 * What an earlier config deployed goes on until somebody undeploys it: it is named, since nobody may know
 * of it.
 */
async function deploy(api: Api, request: Compiled["request"], say: (line: string) => void): Promise<void> {
  await api.agents.deployAgents(request);
  const named = new Set(request.agents.map(({ name }) => name));
  const { agents } = await api.agents.listAgents({});
  const left = agents.map(({ name }) => name).filter((name) => !named.has(name));
  if (left.length > 0)
    say(
      `deployed, and not in the config any more: ${left.join(", ")}; ` +
        "`npx voda agents undeploy NAME` refuses its calls",
    );
}

/** The children serve by now, so this is short; whatever it is not, somebody who waits is told for what. */
async function opened(
  awaited: () => Promise<string | undefined>,
  say: (line: string) => void,
): Promise<void> {
  let toldMs = performance.now();
  for (;;) {
    const what = await awaited();
    if (what === undefined) return;
    if (performance.now() - toldMs > reportEveryMs) {
      toldMs = performance.now();
      say(`waiting for ${what}`);
    }
    await delay(pollEveryMs);
  }
}

/** By the control plane's list, not by the processes: a node that it does not know gets no session. */
async function nodesMissing(api: Api, nodes: number): Promise<string | undefined> {
  const listed = await api.nodes.listNodes({});
  const missing = nodes - listed.nodes.filter((node) => node.ready).length;
  return missing > 0
    ? `${missing} of ${nodes} nodes to be listed as ready; see the logs of the nodes`
    : undefined;
}

/**
 * What does not compile or load changes nothing: the revision before goes on, and the next save tries again.
 */
async function redeploy(mesh: Mesh, project: Project, output: Output): Promise<void> {
  const startedMs = performance.now();
  try {
    const { agents, request } = await compile(project);
    await deploy(connectApiSocket(mesh.apiSocket), request, project.sayOnce);
    const { revision } = request.agents[0] ?? {};
    // a save that changes nothing is no news, unless the one before it could not be deployed
    if (revision === project.revision) return;
    project.revision = revision;
    const names = agents.map((agent) => agent.name).join(", ");
    output.out(
      `deployed ${names} as ${revision?.slice(0, 12)} in ${duration(performance.now() - startedMs)}`,
    );
  } catch (error) {
    project.revision = undefined;
    output.err(`voda: not deployed, the code before goes on: ${failureOf(error).line}`);
  }
}
