// What the rest of a device is worth: the best combination of typical fractions that still fits it.
import { gpuMilliWhole } from "@voda/proto/placement";
import { pricesOfPieces } from "./cutting-stock.ts";

/**
 * Sizes that get a price of their own: the most frequent ones. The rest takes the value of the pieces inside
 * it.
 */
const sizesMax = 64;
/** A size that is asked for is never worthless: it is what pays for the CPU beside it. */
const priceMin = 0.02;

/** What the rest of a device, and a request for a part of one, are worth, in GPUs. */
export interface FractionPrices {
  /** Value of a rest of 0..1000 milli, in GPUs, before any discount. */
  readonly valueOf: Float64Array;
  /** Value of a request of this size. */
  readonly priceOf: (milli: number) => number;
}

/** Frequencies by size in milli, each 1 to 999. */
export function fractionPrices(frequencies: ReadonlyMap<number, number>): FractionPrices {
  const sizes = [...frequencies].toSorted((a, b) => b[1] - a[1]).slice(0, sizesMax);
  sizes.sort((a, b) => b[0] - a[0]);
  const unit = sizes.reduce((divisor, [milli]) => gcd(divisor, milli), gpuMilliWhole);
  const pieces = sizes.map(([milli, frequency]) => ({ size: milli / unit, frequency }));
  const prices = pricesOfPieces(pieces, gpuMilliWhole / unit);
  const valueOf = new Float64Array(gpuMilliWhole + 1);
  for (let rest = 1; rest <= gpuMilliWhole; rest++) {
    let value = valueOf[rest - 1] as number;
    for (const [i, [milli]] of sizes.entries()) {
      if (milli <= rest) value = Math.max(value, (valueOf[rest - milli] as number) + (prices[i] ?? 0));
    }
    valueOf[rest] = value;
  }
  valueOf[gpuMilliWhole] = Math.max(1, valueOf[gpuMilliWhole] as number);
  const bySize = new Map(sizes.map(([milli], i) => [milli, prices[i] ?? 0]));
  return { valueOf, priceOf: (milli) => Math.max(priceMin, bySize.get(milli) ?? milli / gpuMilliWhole) };
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
