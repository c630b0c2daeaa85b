// Kinds: the shapes of requests. Sessions are many and kinds are few, so scores and counts are kept per kind.

import type { Isolation } from "@voda/proto/placement";
import { gpuMilliWhole } from "@voda/proto/placement";
import { BoundedMap } from "@voda/stdx";
import type { GpuRequest } from "./resources.ts";
import { defaultMemoryMib } from "./resources.ts";

/**
 * What requests that are alike ask for. Equal requests share one object, so that what is kept by kind is
 * found by identity.
 */
export interface Kind {
  /** 0, 1, 2, ... in the order of making: no two kinds of a table have the same. */
  readonly index: number;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly diskMib: number;
  /** 0 when no GPU is asked for; 1 for a fraction. */
  readonly gpuCount: number;
  readonly isFraction: boolean;
  /** Of one device; 1000 for whole GPUs, 0 when a fraction names memory alone. */
  readonly gpuMilli: number;
  /** Of one device; 0 is "not named". */
  readonly gpuMemoryMib: number;
  /** Bit i allows model i; 0 allows any. */
  readonly models: number;
  /** Namespace that a device is kept to, or -1 when the device may be shared by all. */
  readonly owner: number;
}

/** A kind before the pool has given it its place. */
export type KindShape = Omit<Kind, "index">;

/**
 * Shapes that one pool remembers; the one that was asked for longest ago is forgotten, and made anew when it
 * comes again.
 */
const kindsMax = 4096;

/** Gives equal shapes the same kind. */
export class KindTable {
  readonly #byKey = new BoundedMap<string, Kind>(kindsMax);
  #made = 0;

  kindOf(shape: KindShape): Kind {
    const key = `${shape.cpuMilli}/${shape.memoryMib}/${shape.diskMib}/${shape.gpuCount}/${shape.gpuMilli}/${shape.gpuMemoryMib}/${shape.models}/${shape.owner}`;
    const known = this.#byKey.use(key);
    if (known !== undefined) return known;
    const kind = { index: this.#made++, ...shape };
    this.#byKey.set(key, kind);
    return kind;
  }
}

/** What a request asks for, before models and tenants are looked at. */
export interface Shape {
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly diskMib: number;
  readonly gpu: GpuRequest;
  readonly isolation: Isolation;
}

/** `owner` is the number of the request's namespace. A dedicated fraction is a whole GPU from here on. */
export function shapeOf(shape: Shape, models: number, owner: number): KindShape {
  const { cpuMilli, diskMib, gpu, isolation } = shape;
  const memoryMib = shape.memoryMib > 0 ? shape.memoryMib : defaultMemoryMib;
  const amounts = { cpuMilli, memoryMib, diskMib };
  if (gpu.type === "none") {
    return { ...amounts, gpuCount: 0, isFraction: false, gpuMilli: 0, gpuMemoryMib: 0, models: 0, owner: -1 };
  }
  if (gpu.type === "whole" || isolation === "dedicated") {
    const gpuCount = gpu.type === "whole" ? gpu.count : 1;
    return {
      ...amounts,
      gpuCount,
      isFraction: false,
      gpuMilli: gpuMilliWhole,
      gpuMemoryMib: gpu.memoryMib,
      models,
      owner: -1,
    };
  }
  return {
    ...amounts,
    gpuCount: 1,
    isFraction: true,
    gpuMilli: gpu.milli,
    gpuMemoryMib: gpu.memoryMib,
    models,
    owner: isolation === "process" ? owner : -1,
  };
}

/** Thousandths of a card of this size that a fraction takes: at least what its memory is a part of. */
export function milliOn(kind: Kind, cardMemoryMib: number): number {
  if (kind.gpuMilli > 0) return kind.gpuMilli;
  return cardMemoryMib > 0
    ? Math.max(1, Math.floor((kind.gpuMemoryMib * gpuMilliWhole) / cardMemoryMib))
    : Number.POSITIVE_INFINITY;
}

/**
 * MiB of a card of this size that a fraction takes. What is not named is its part of the card, rounded down:
 * so the memory of fractions that name only thousandths runs out when the thousandths do and not before.
 */
export function cardMemoryOn(kind: Kind, cardMemoryMib: number): number {
  if (kind.gpuMemoryMib > 0) return kind.gpuMemoryMib;
  return Math.floor((kind.gpuMilli * cardMemoryMib) / gpuMilliWhole);
}

/** GPUs that a session of this kind counts for, in milli, on a card of this size. */
export function demandMilli(kind: Kind, cardMemoryMib: number): number {
  return kind.isFraction ? milliOn(kind, cardMemoryMib) : kind.gpuCount * gpuMilliWhole;
}
