// The outlook, learned from what happens: counts per kind that fade, and departures against placements.
import type { Kind } from "./kind.ts";
import type { KindShare, Outlook } from "./policy.ts";

/** Arrivals after which a count has faded to 1/e. */
const mixWindow = 8000;
/**
 * Arrivals over which departures are counted: longer than the noise of a few, shorter than a change of the
 * load.
 */
const churnWindow = 2000;
/** Weights grow instead of counts fading; at this weight all are scaled back. */
const weightMax = 1e6;
/** Counts below this part of one arrival are dropped: the counts stay as few as the kinds in use. */
const countMin = 1e-3;
/** Kinds of an outlook, the most frequent ones: prices take milliseconds to make. */
const outlookKindsMax = 512;

/** Counts what arrives and leaves; the outlook of the policies is made from it. */
export class RequestMix {
  #counts = new Map<Kind, number>();
  #weight = 1;
  #placements = 0;
  #departures = 0;
  /** Arrivals so far. */
  arrivals = 0;

  arrived(kind: Kind): void {
    this.arrivals += 1;
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + this.#weight);
    this.#weight *= 1 + 1 / mixWindow;
    if (this.#weight > weightMax) this.#scaleBack();
    this.#departures *= 1 - 1 / churnWindow;
    this.#placements *= 1 - 1 / churnWindow;
  }

  /** Knowledge from elsewhere, as if it had arrived just now: it fades like the rest. */
  expect(kind: Kind): void {
    this.arrivals += 1;
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + this.#weight);
  }

  placed(): void {
    this.#placements += 1;
  }

  departed(): void {
    this.#departures += 1;
  }

  /** Departures per placement of late: 0 while a pool fills, 1 when it is steady. */
  churn(): number {
    return this.#placements === 0 ? 0 : Math.min(1, this.#departures / this.#placements);
  }

  outlook(): Outlook {
    return { mix: sharesOf(this.#counts), churn: this.churn() };
  }

  #scaleBack(): void {
    const scaled = [...this.#counts].map(([kind, count]) => [kind, count / this.#weight] as const);
    this.#counts = new Map(scaled.filter(([, count]) => count >= countMin));
    this.#weight = 1;
  }
}

function sharesOf(counts: ReadonlyMap<Kind, number>): readonly KindShare[] {
  const most = [...counts].toSorted((a, b) => b[1] - a[1]).slice(0, outlookKindsMax);
  const total = most.reduce((sum, [, count]) => sum + count, 0);
  return most.map(([kind, count]) => ({ kind, share: count / total }));
}
