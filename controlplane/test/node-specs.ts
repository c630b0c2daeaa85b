// Nodes and requests for the tests of this folder.
import type { NodeSpec } from "../src/placement/node-spec.ts";
import type { PoolRequest } from "../src/placement/request.ts";
import type { GpuRequest } from "../src/placement/resources.ts";

const mibPerGib = 1024;

export interface NodeShape {
  readonly gpus?: number;
  readonly model?: string;
  readonly cardGib?: number;
  readonly cores?: number;
  readonly gib?: number;
  readonly zone?: string;
}

export function node(
  id: string,
  { gpus = 0, model = "A", cardGib = 80, cores = 96, gib = 768, zone = "z" }: NodeShape = {},
): NodeSpec {
  return {
    id,
    zone,
    cpuMilli: cores * 1000,
    memoryMib: gib * mibPerGib,
    diskMib: 100 * mibPerGib,
    gpus: Array.from({ length: gpus }, (_, i) => ({
      uuid: `${id}-${i}`,
      model,
      memoryMib: cardGib * mibPerGib,
    })),
  };
}

export const none: GpuRequest = { type: "none" };
export const whole = (count: number, memoryMib = 0): GpuRequest => ({ type: "whole", count, memoryMib });
export const fraction = (milli: number, memoryMib = 0): GpuRequest => ({
  type: "fraction",
  milli,
  memoryMib,
});

type Rest = Partial<Omit<PoolRequest, "session" | "resources">> & {
  readonly cores?: number;
  readonly gib?: number;
};

export function ask(
  session: string,
  gpu: GpuRequest,
  { cores = 4, gib = 8, ...rest }: Rest = {},
): PoolRequest {
  return {
    session,
    namespace: "red",
    resources: { cpuMilli: Math.round(cores * 1000), memoryMib: gib * mibPerGib, gpu },
    ...rest,
  };
}
