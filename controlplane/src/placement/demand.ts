// What is asked for, by kind: its part of all the value that is asked for, and what it needs beside a GPU.
import { gpuMilliWhole } from "@voda/proto/placement";
import type { Books } from "./books.ts";
import { type FractionPrices, fractionPrices } from "./fraction-prices.ts";
import type { Kind } from "./kind.ts";
import { coreMilli, meanCardMib, sizeOf } from "./node-classes.ts";
import type { KindShare } from "./policy.ts";

/** A kind that asks for GPUs. */
export interface Wanted {
  readonly kind: Kind;
  /** Weights of the requests for one GPU sum to 1. */
  readonly weight: number;
  /** Cores and MiB per GPU of value. */
  readonly cores: number;
  readonly memory: number;
}

/** What a mix of requests takes of all nodes together. */
export interface Demand {
  readonly wanted: readonly Wanted[];
  /** Value of a rest of 0..1000 milli of one device, in GPUs, before any discount. */
  readonly valueOf: Float64Array;
}

/**
 * `setScarcity`: 0 weighs requests for several GPUs as found good while a pool fills, 1 by their part of the
 * demand.
 */
export function demandOf(books: Books, mix: readonly KindShare[], setScarcity: number): Demand {
  const cardMib = meanCardMib(books);
  const prices = pricesOf(mix, cardMib);
  let singles = 0;
  let sets = 0;
  const priced = mix.flatMap(({ kind, share }) => {
    if (kind.gpuCount === 0) return [];
    const value = kind.isFraction ? prices.priceOf(sizeOf(kind, cardMib)) : kind.gpuCount;
    if (kind.gpuCount === 1) singles += share * value;
    else sets += share * value;
    return [{ kind, share, value }];
  });
  const gain = sets > 0 && singles > 0 ? (weightOfSets(sets / singles, setScarcity) * singles) / sets : 1;
  const total = singles > 0 ? singles : sets;
  const wanted = priced.map(({ kind, share, value }) => ({
    kind,
    weight: (share * value * (kind.gpuCount > 1 ? gain : 1)) / total,
    cores: kind.cpuMilli / coreMilli / value,
    memory: kind.memoryMib / value,
  }));
  return { wanted, valueOf: prices.valueOf };
}

function pricesOf(mix: readonly KindShare[], cardMib: number): FractionPrices {
  const frequencies = new Map<number, number>();
  for (const { kind, share } of mix) {
    const size = sizeOf(kind, cardMib);
    if (size < gpuMilliWhole) frequencies.set(size, (frequencies.get(size) ?? 0) + share);
  }
  return fractionPrices(frequencies);
}

/**
 * Weight of all requests for several GPUs against all those for one, `ratio` being that of their values.
 * While a pool fills it was found by experiment: a weight in proportion keeps too many GPUs for sets that are
 * asked for often enough to find their own.
 */
function weightOfSets(ratio: number, setScarcity: number): number {
  return (0.02 + 0.06 * ratio ** 2) ** (1 - setScarcity) * ratio ** setScarcity;
}
