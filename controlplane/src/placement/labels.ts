// Which labels are where: the part of a request that its kind does not say.
import type { Books } from "./books.ts";
import type { PoolRequest } from "./request.ts";

type Counts = Map<number, number>;
export type LabelMiss = "affinity" | "anti_affinity";

export class Labels {
  readonly #zones: readonly string[];
  /** Sessions per node, by label and by label that is kept away; keys carry the namespace. */
  readonly #on = new Map<string, Counts>();
  readonly #kept = new Map<string, Counts>();

  constructor(books: Books) {
    this.#zones = books.specs.map((node) => node.zone);
  }

  add(node: number, request: PoolRequest): void {
    this.#count(node, request, 1);
  }

  remove(node: number, request: PoolRequest): void {
    this.#count(node, request, -1);
  }

  /** Which label of the request the node fails, or `undefined`. */
  missOn(node: number, request: PoolRequest): LabelMiss | undefined {
    const key = (label: string): string => keyOf(request, label);
    for (const label of request.antiAffinity ?? []) if (this.#on.get(key(label))?.has(node) === true) return "anti_affinity";
    for (const label of request.labels ?? []) if (this.#kept.get(key(label))?.has(node) === true) return "anti_affinity";
    for (const label of request.affinity ?? []) {
      const there = this.#on.get(key(label));
      const isFirst = there === undefined && request.labels?.includes(label) === true;
      if (!isFirst && there?.has(node) !== true) return "affinity";
    }
    return undefined;
  }

  isConstrained(request: PoolRequest): boolean {
    const isNamed = (list: readonly string[] | undefined): boolean => list !== undefined && list.length > 0;
    return isNamed(request.affinity) || isNamed(request.antiAffinity) || (isNamed(request.labels) && this.#kept.size > 0);
  }

  /** The zones, those with the fewest sessions of the label first; equals are in one group. */
  zonesFor(request: PoolRequest, label: string): readonly ReadonlySet<string>[] {
    const perZone = new Map(this.#zones.map((zone) => [zone, 0]));
    for (const [node, count] of this.#on.get(keyOf(request, label)) ?? []) {
      const zone = this.#zones[node] ?? "";
      perZone.set(zone, (perZone.get(zone) ?? 0) + count);
    }
    const groups = Map.groupBy(perZone, ([, count]) => count);
    return [...groups.keys()].toSorted((a, b) => a - b).map((count) => new Set(groups.get(count)?.map(([zone]) => zone)));
  }

  isInZones(node: number, zones: ReadonlySet<string>): boolean {
    return zones.has(this.#zones[node] ?? "");
  }

  #count(node: number, request: PoolRequest, by: 1 | -1): void {
    for (const label of request.labels ?? []) change(this.#on, keyOf(request, label), node, by);
    for (const label of request.antiAffinity ?? []) change(this.#kept, keyOf(request, label), node, by);
  }
}

function keyOf({ namespace }: PoolRequest, label: string): string {
  return JSON.stringify([namespace, label]);
}

/** Counts of zero are dropped, so that `has` means "at least one". */
function change(all: Map<string, Counts>, key: string, node: number, by: 1 | -1): void {
  const counts = all.get(key) ?? new Map<number, number>();
  const count = (counts.get(node) ?? 0) + by;
  if (count > 0) counts.set(node, count);
  else counts.delete(node);
  if (counts.size > 0) all.set(key, counts);
  else all.delete(key);
}
