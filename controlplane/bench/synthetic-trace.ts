// Nodes and pods made up for runs without trace files: a few shapes of each, no claim to be like any real
// cluster.
import type { NodeSpec } from "../src/placement/node-spec.ts";
import type { Pod } from "./openb.ts";

const mibPerGib = 1024;

export function syntheticNodes(): readonly NodeSpec[] {
  const shapes = [
    { nodes: 6, model: "A", gpus: 8, cores: 96, gib: 768 },
    { nodes: 3, model: "B", gpus: 2, cores: 64, gib: 256 },
    { nodes: 1, model: "C", gpus: 4, cores: 96, gib: 384 },
  ];
  return shapes.flatMap(({ nodes, model, gpus, cores, gib }) =>
    Array.from({ length: nodes }, (_, n) => ({
      id: `${model}${n}`,
      zone: "",
      cpuMilli: cores * 1000,
      memoryMib: gib * mibPerGib,
      diskMib: 0,
      gpus: Array.from({ length: gpus }, (_, i) => ({ uuid: `${model}${n}-${i}`, model, memoryMib: 0 })),
    })),
  );
}

/** 100 kinds: every combination of these amounts. */
export function syntheticPods(): readonly Pod[] {
  const gpus = [
    { gpuCount: 0, gpuMilli: 0, weight: 1 },
    { gpuCount: 1, gpuMilli: 250, weight: 1 },
    { gpuCount: 1, gpuMilli: 460, weight: 2 },
    { gpuCount: 1, gpuMilli: 1000, weight: 5 },
    { gpuCount: 8, gpuMilli: 1000, weight: 0.05 },
  ];
  const cores = [2, 4, 6, 8, 12];
  const gibs = [8, 16, 32, 48];
  return gpus.flatMap(({ weight, ...gpu }) =>
    cores.flatMap((core) =>
      gibs.flatMap((gib) =>
        Array.from({ length: Math.ceil(weight * 20) }, (_, i) => ({
          name: `${gpu.gpuCount}-${gpu.gpuMilli}-${core}-${gib}-${i}`,
          cpuMilli: core * 1000,
          memoryMib: gib * mibPerGib,
          ...gpu,
          models: [],
          createdAt: undefined,
          deletedAt: undefined,
        })),
      ),
    ),
  );
}
