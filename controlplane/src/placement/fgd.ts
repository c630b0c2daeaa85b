// Fragmentation gradient descent (Weng et al., USENIX ATC '23): place where the expected unusable GPU grows
// the least. Two details carry its published result: scores are truncated to 0..100, and the first node wins
// ties.
import { gpuMilliWhole, gpusPerNodeMax } from "@voda/proto/placement";
import { type Books, grown } from "./books.ts";
import type { Kind } from "./kind.ts";
import type { KindShare, Policy } from "./policy.ts";

/** Typical requests are the most frequent ones that cover this part of the arrivals. */
const typicalPart = 0.95;

/** A shape of requests, and its share of the mix. */
interface Typical {
  readonly cpuMilli: number;
  readonly count: number;
  readonly milli: number;
  readonly models: number;
  share: number;
}

/** Fragmentation gradient descent: the place that adds the fewest expected fragments. */
export function fgd(books: Books): Policy {
  let typical: readonly Typical[] = [];
  // Scratch of one decision, so that none allocates.
  const free = new Int16Array(gpusPerNodeMax);
  // Fragments of each node as it is, kept while its version is `versionOf`.
  let before = new Float64Array(books.capacity);
  let versionOf = new Int32Array(books.capacity);
  const chosen = { device: -1 };

  const fragments = (node: number, cpuMilli: number): number =>
    expectedFragments(books, node, { typical, cpuMilli, free });
  // What is free as it is; `cost` then takes the request from it.
  const load = (node: number): void => {
    const first = node * books.stride;
    for (let i = 0; i < (books.gpus[node] as number); i++) free[i] = books.deviceMilli[first + i] as number;
  };
  const scoreAfter = (node: number, cpuMilli: number): number => {
    const difference = (before[node] as number) - fragments(node, cpuMilli);
    // Logistic and cut to an integer, as in the published scheduler plug-in.
    return Math.trunc(100 / (1 + Math.exp(-difference / gpuMilliWhole)));
  };
  const cost = (node: number, kind: Kind): number => {
    load(node);
    if (versionOf[node] !== books.version[node]) {
      before[node] = fragments(node, books.cpuMilli[node] as number);
      versionOf[node] = books.version[node] as number;
    }
    const cpuMilli = (books.cpuMilli[node] as number) - kind.cpuMilli;
    if (!kind.isFraction) {
      takeWhole(free, books.gpus[node] as number, kind.gpuCount);
      return -scoreAfter(node, cpuMilli);
    }
    let best = -1;
    for (let i = 0; i < (books.gpus[node] as number); i++) {
      if (!books.isShareFor(node * books.stride + i, kind)) continue;
      free[i] = (free[i] as number) - kind.gpuMilli;
      const score = scoreAfter(node, cpuMilli);
      free[i] = (free[i] as number) + kind.gpuMilli;
      if (score > best) {
        best = score;
        chosen.device = i;
      }
    }
    return -best;
  };
  // Another mix has other fragments.
  const adopt = ({ mix }: { readonly mix: readonly KindShare[] }): void => {
    typical = typicalOf(mix);
    versionOf.fill(0);
  };
  const nodeChanged = (node: number): boolean => {
    if (node >= before.length) {
      before = grown(before, books.capacity);
      versionOf = grown(versionOf, books.capacity);
    }
    return false;
  };
  return { name: "fgd", tie: "first", cost, chosen, adopt, nodeChanged };
}

/** In the order of their index, as in the published simulator. */
function takeWhole(free: Int16Array, gpus: number, count: number): void {
  let left = count;
  for (let i = 0; i < gpus && left > 0; i++) {
    if (free[i] !== gpuMilliWhole) continue;
    free[i] = 0;
    left -= 1;
  }
}

/** Memory is no part of it: requests that differ in memory alone are one typical request. */
function typicalOf(mix: readonly KindShare[]): readonly Typical[] {
  const byShape = new Map<string, Typical>();
  for (const { kind, share } of mix) {
    const key = `${kind.cpuMilli}/${kind.gpuCount}/${kind.gpuMilli}/${kind.models}`;
    const known = byShape.get(key);
    if (known !== undefined) known.share += share;
    else
      byShape.set(key, {
        cpuMilli: kind.cpuMilli,
        count: kind.gpuCount,
        milli: kind.gpuMilli,
        models: kind.models,
        share,
      });
  }
  const sorted = [...byShape.values()].toSorted(
    // Ties by size, so that the cut at 95 % does not depend on the order of arrivals.
    (a, b) => b.share - a.share || b.cpuMilli - a.cpuMilli || b.milli - a.milli || b.count - a.count,
  );
  const typical: Typical[] = [];
  let covered = 0;
  for (const one of sorted) {
    if (covered >= typicalPart) break;
    typical.push(one);
    covered += one.share;
  }
  // The shares of what is kept add up to 1, as in the published simulator.
  for (const one of typical) one.share /= covered;
  return typical;
}

interface After {
  readonly typical: readonly Typical[];
  readonly cpuMilli: number;
  readonly free: Int16Array;
}

/** Free milli that a typical request could not use: all of it where it does not fit. */
function expectedFragments(books: Books, node: number, { typical, cpuMilli, free }: After): number {
  const gpus = books.gpus[node] as number;
  let total = 0;
  for (let i = 0; i < gpus; i++) total += free[i] as number;
  if (total === 0) return 0;
  const model = books.deviceModel[node * books.stride] as number;
  let expected = 0;
  for (const one of typical) {
    const isHere =
      one.count > 0 && cpuMilli >= one.cpuMilli && (one.models === 0 || ((one.models >> model) & 1) === 1);
    let missing = one.count;
    let fragments = 0;
    if (isHere) {
      for (let i = 0; i < gpus; i++) {
        const milli = free[i] as number;
        if (milli >= one.milli) missing -= 1;
        else fragments += milli;
      }
    }
    expected += one.share * (isHere && missing <= 0 ? fragments : total);
  }
  return expected;
}
