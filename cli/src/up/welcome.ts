import { relative } from "node:path";
import type { AgentDefinition } from "voda/definition";
import { defaultUrl } from "../api.ts";
import { firstOf, inOrderOfUse } from "../print.ts";
import type { ReadyFile } from "./ready-file.ts";

/** What `voda up` says when it serves: where things are, and three commands to try. */
export function welcome(options: {
  readonly mesh: ReadyFile;
  readonly agents: readonly AgentDefinition[];
  readonly logs: string;
  /** The mesh is what commands in this folder find without being told. */
  readonly isHere: boolean;
  readonly took: string;
}): readonly string[] {
  const { mesh, agents } = options;
  return [
    `voda is ready after ${options.took}; stop it with Ctrl-C`,
    "",
    `  clients   ${mesh.ingress}`,
    `  nodes     ${mesh.nodes.map((node) => `${node.id} ${node.ingress}`).join("  ")}`,
    `  nats      ${mesh.nats.url}`,
    `  envoy     ${mesh.envoy.admin}`,
    `  logs      ${shown(options.logs)}`,
    ...ofAgents(mesh.ingress, agents, options.isHere),
  ];
}

/** Nothing where none was deployed: that has been told. */
function ofAgents(url: string, agents: readonly AgentDefinition[], isHere: boolean): readonly string[] {
  if (agents.length === 0) return [];
  return [
    "",
    ...agents.map((agent) => `  ${agent.name.padEnd(9)} ${firstOf(methodsOf(agent).map(methodWord), "  ")}`),
    "",
    "try:",
    ...tries(url, agents, isHere).map((command) => `  ${command}`),
  ];
}

/** Short where it lies in this folder; from elsewhere steps upwards are harder to read than the whole. */
function shown(path: string): string {
  const from = relative(".", path);
  return from.startsWith("..") ? path : from;
}

const methodsOf = ({ methods }: AgentDefinition) =>
  inOrderOfUse(methods, ({ access }) => access === "internal");

/** Whether a call writes is what people ask first, and whether they can call it at all. */
function methodWord(method: AgentDefinition["methods"][number]): string {
  const marks = [method.mode === "readonly" && method.mode, method.access].filter(Boolean);
  return marks.length === 0 ? method.name : `${method.name} (${marks.join(", ")})`;
}

/**
 * Of the first agent with a plain handler: a method of a protobuf service takes a message, which nobody can
 * guess.
 */
function tries(url: string, agents: readonly AgentDefinition[], isHere: boolean): readonly string[] {
  // Commands find the mesh of this folder, and one at the default address, without being told.
  const elsewhere = isHere || url === defaultUrl ? "" : ` --url ${url}`;
  const plain = (mode: string) => (agent: AgentDefinition) =>
    methodsOf(agent).find(
      ({ mode: its, service, access }) => its === mode && service === undefined && access !== "internal",
    )?.name;
  // The first that something can be tried on; else the first, and then only `ps` is left.
  const agent = agents.find((one) => plain("handler")(one) !== undefined) ?? agents[0];
  if (agent === undefined) return [];
  const write = plain("handler")(agent);
  const read = plain("readonly")(agent);
  return [
    ...(read === undefined ? [] : [`npx voda call ${agent.name}/alice ${read}${elsewhere}`]),
    // What it takes, nobody knows here: as it stands it is no JSON, and changes nothing.
    ...(write === undefined ? [] : [`curl --json INPUT ${url}/agents/${agent.name}/alice/${write}`]),
    `npx voda ps${elsewhere}`,
  ];
}
