// Pods that no node of the list could take even if it were empty. They are refused in every run; people
// should know why.
import type { NodeSpec } from "../src/placement/node-spec.ts";
import type { Pod } from "./openb.ts";
import type { Trace } from "./trace-files.ts";

/** Pairs of pods and nodes that differ from each other; beyond, nothing is said of the rest. */
const pairsMax = 20_000_000;

/** One line, or none. */
export function unplaceable({ nodes, pods }: Trace): readonly string[] {
  const shapes = distinct(nodes, ({ cpuMilli, memoryMib, gpus }) => [
    cpuMilli,
    memoryMib,
    gpus.length,
    gpus[0]?.model,
  ]);
  const kinds = distinct(pods, ({ cpuMilli, memoryMib, gpuCount, models }) => [
    cpuMilli,
    memoryMib,
    gpuCount,
    ...models,
  ]);
  const counts = new Map<string, number>();
  let all = 0;
  for (const { one: pod, count } of kinds.slice(0, Math.floor(pairsMax / shapes.length))) {
    const lack = lackOf(
      pod,
      shapes.map(({ one }) => one),
    );
    if (lack === undefined) continue;
    counts.set(lack, (counts.get(lack) ?? 0) + count);
    all += count;
  }
  if (all === 0) return [];
  const reasons = [...counts].map(([lack, count]) => `${lack}: ${count}`).join(", ");
  return [`${all} of ${pods.length} pods fit on no node, even an empty one (${reasons}); they are refused`];
}

/** What no node has enough of, with what was asked for before. */
function lackOf(
  { models, gpuCount, cpuMilli, memoryMib }: Pod,
  nodes: readonly NodeSpec[],
): string | undefined {
  const modelled = nodes.filter(({ gpus }) => models.length === 0 || models.includes(gpus[0]?.model ?? ""));
  if (modelled.length === 0) return `no GPU of model ${models.join(" or ").slice(0, 60)}`;
  const wide = modelled.filter(({ gpus }) => gpus.length >= gpuCount);
  if (wide.length === 0) return `${gpuCount} GPUs on one node`;
  const fits = wide.some((node) => node.cpuMilli >= cpuMilli && node.memoryMib >= memoryMib);
  return fits ? undefined : "CPU or memory beside the GPUs";
}

function distinct<T>(
  list: readonly T[],
  keyOf: (one: T) => readonly unknown[],
): readonly { one: T; count: number }[] {
  const found = new Map<string, { one: T; count: number }>();
  for (const one of list) {
    const key = keyOf(one).join("|");
    const known = found.get(key);
    if (known === undefined) found.set(key, { one, count: 1 });
    else known.count += 1;
  }
  return [...found.values()];
}
