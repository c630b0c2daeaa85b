// Which labels are where: the part of a request that its kind does not say.
import type { Books } from "./books.ts";
import type { PoolRequest } from "./request.ts";

type Counts = Map<number, number>;
/** Which of its two lists keeps a session away from a node. */
export type LabelMiss = "affinity" | "anti_affinity";
/** `undefined`: the labels have nothing against the node. */
export type LabelMissOn = (node: number) => LabelMiss | undefined;

/** Which labels sessions have brought to which node, per namespace. */
export class Labels {
  readonly #books: Books;
  /** Sessions per node, by label and by label that is kept away; keys carry the namespace. */
  readonly #on = new Map<string, Counts>();
  readonly #kept = new Map<string, Counts>();

  constructor(books: Books) {
    this.#books = books;
  }

  add(node: number, request: PoolRequest): void {
    this.#count(node, request, 1);
  }

  remove(node: number, request: PoolRequest): void {
    this.#count(node, request, -1);
  }

  /** Tells which label of the request a node fails; `undefined` when the labels allow every node. */
  missesOf(request: PoolRequest): LabelMissOn | undefined {
    const { labels = [], affinity = [], antiAffinity = [] } = request;
    const kept = (all: Map<string, Counts>, names: readonly string[]): readonly Counts[] =>
      names.map((label) => all.get(keyOf(request, label))).filter((one) => one !== undefined);
    // Both ways: what this one keeps away, and who is there and keeps this one away.
    const keepsOff = [...kept(this.#on, antiAffinity), ...kept(this.#kept, labels)];
    // The first of its kind would wait for itself: a label that it brings along may be nowhere yet.
    const wanted = affinity
      .map((label) => ({ there: this.#on.get(keyOf(request, label)), isOwn: labels.includes(label) }))
      .filter(({ there, isOwn }) => there !== undefined || !isOwn);
    if (keepsOff.length === 0 && wanted.length === 0) return undefined;
    return (node) => {
      if (keepsOff.some((counts) => counts.has(node))) return "anti_affinity";
      return wanted.every(({ there }) => there?.has(node) === true) ? undefined : "affinity";
    };
  }

  /** The zones, those with the fewest sessions of the label first; equals are in one group. */
  zonesFor(request: PoolRequest, label: string): readonly ReadonlySet<string>[] {
    const perZone = new Map<string, number>();
    for (const spec of this.#books.specs) if (spec !== undefined) perZone.set(spec.zone, 0);
    for (const [node, count] of this.#on.get(keyOf(request, label)) ?? []) {
      const zone = this.#zoneOf(node);
      perZone.set(zone, (perZone.get(zone) ?? 0) + count);
    }
    const groups = Map.groupBy(perZone, ([, count]) => count);
    return [...groups.keys()]
      .toSorted((a, b) => a - b)
      .map((count) => new Set(groups.get(count)?.map(([zone]) => zone)));
  }

  isInZones(node: number, zones: ReadonlySet<string>): boolean {
    return zones.has(this.#zoneOf(node));
  }

  #zoneOf(node: number): string {
    return this.#books.specs[node]?.zone ?? "";
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
