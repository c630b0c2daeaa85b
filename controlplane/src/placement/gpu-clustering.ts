// Keeps requests of the same GPU size together. Scores are those of the published simulator.
import { type Books, hostedCounts } from "./books.ts";
import { largestMilli } from "./greedy.ts";
import type { Kind } from "./kind.ts";
import type { Policy } from "./policy.ts";

/** Prefers nodes that host requests of the same size and nothing else. */
export function gpuClustering(books: Books): Policy {
  const cost = (node: number, kind: Kind): number => {
    if (kind.gpuCount === 0) return 0;
    const most = largestMilli(books);
    const fullness = Math.trunc((25 * (most - (books.gpuMilli[node] as number))) / most);
    const count = kind.isFraction ? 0 : kind.gpuCount;
    const sizes = sizesOn(books, node);
    if ((books.hosted[node * hostedCounts + count] as number) > 0)
      return -(fullness + (sizes === 1 ? 75 : 50));
    return -(fullness + (sizes === 0 ? 25 : 0));
  };
  return { name: "gpuClustering", tie: "first", cost, chosen: { device: -1 } };
}

/** How many sizes of GPU requests the node hosts. */
function sizesOn(books: Books, node: number): number {
  let sizes = 0;
  for (let count = node * hostedCounts; count < (node + 1) * hostedCounts; count++) {
    if ((books.hosted[count] as number) > 0) sizes += 1;
  }
  return sizes;
}
