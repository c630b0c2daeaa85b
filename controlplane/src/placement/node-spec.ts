// What a node has, as its pool books it, and what is wrong with a description of one.
import { gpusPerNodeMax } from "@voda/proto/placement";
import type { GpuDevice } from "./resources.ts";

/** What a node has, as its lease says. Thousandths of cores and MiB. */
export interface NodeSpec {
  readonly id: string;
  readonly zone: string;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly diskMib: number;
  /** `memoryMib` 0 says that the size of the card is not known: its memory is then not counted. */
  readonly gpus: readonly GpuDevice[];
}

/** Nodes of one pool: decisions stay below a millisecond, and a row of scores per kind below a MiB. */
export const nodesMax = 100_000;
/**
 * Different GPU models of one pool: they have to fit the bits of a model mask, with one left for "unknown".
 */
export const modelsMax = 30;
/** CPU of one node, memory and disk of one node: what 32 bits hold. */
export const amountMax = 2 ** 31 - 1;

/** What is wrong with the nodes of a pool, or `undefined`. */
export function nodesProblem(nodes: readonly NodeSpec[]): string | undefined {
  if (nodes.length > nodesMax)
    return `${nodes.length} nodes exceed nodesMax ${nodesMax}; split them into pools`;
  const ids = new Set<string>();
  const models = new Set<string>();
  for (const node of nodes) {
    const problem = nodeProblem(node);
    if (problem !== undefined) return `node ${node.id}: ${problem}`;
    if (ids.has(node.id)) return `node ${node.id}: its id is taken by another node`;
    ids.add(node.id);
    for (const gpu of node.gpus) models.add(gpu.model);
  }
  if (models.size > modelsMax)
    return `${models.size} GPU models exceed modelsMax ${modelsMax}; split the nodes into pools`;
  return undefined;
}

/** What is wrong with one more node beside those that are there, or `undefined`. */
export function joinProblem(
  node: NodeSpec,
  there: { readonly nodes: number; readonly models: readonly string[]; readonly isTaken: boolean },
): string | undefined {
  if (there.nodes >= nodesMax)
    return `node ${node.id}: the pool has nodesMax ${nodesMax} already; split the nodes into pools`;
  if (there.isTaken) return `node ${node.id}: its id is taken by another node`;
  const problem = nodeProblem(node);
  if (problem !== undefined) return `node ${node.id}: ${problem}`;
  const models = new Set([...there.models, ...node.gpus.map(({ model }) => model)]).size;
  return models > modelsMax
    ? `node ${node.id}: ${models} GPU models exceed modelsMax ${modelsMax}`
    : undefined;
}

/** What is wrong with one node, or `undefined`. */
export function nodeProblem(node: NodeSpec): string | undefined {
  if (node.gpus.length > gpusPerNodeMax)
    return `${node.gpus.length} GPUs exceed gpusPerNodeMax ${gpusPerNodeMax}`;
  return (
    amountProblem("cpuMilli", node.cpuMilli) ??
    amountProblem("memoryMib", node.memoryMib) ??
    amountProblem("diskMib", node.diskMib) ??
    node.gpus.map((gpu) => amountProblem("GPU memoryMib", gpu.memoryMib)).find((one) => one !== undefined)
  );
}

/** What keeps an amount out of the books, or `undefined`. */
export function amountProblem(what: string, amount: number): string | undefined {
  if (!Number.isInteger(amount) || amount < 0) return `${what} ${amount} is not 0, 1, 2, ...`;
  return amount > amountMax ? `${what} ${amount} exceeds amountMax ${amountMax}` : undefined;
}
