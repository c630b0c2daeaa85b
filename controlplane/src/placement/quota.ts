// What a namespace may hold at once. Only placed sessions count: a sleeping one is free and counts again when
// it wakes.

/** What one session, or all of a namespace, takes: thousandths of cores and GPUs, MiB. */
export interface Amounts {
  readonly sessions: number;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly gpuMilli: number;
}

/** An amount that is not named is not limited. */
export type Quota = Partial<Amounts>;

/** The amount that would exceed its limit, with all three numbers. */
export interface QuotaMiss {
  readonly amount: keyof Amounts;
  readonly used: number;
  readonly wanted: number;
  readonly limit: number;
}

const nothing: Amounts = { sessions: 0, cpuMilli: 0, memoryMib: 0, gpuMilli: 0 };
const amounts = ["sessions", "cpuMilli", "memoryMib", "gpuMilli"] as const;

/** Limits of namespaces and what is taken of them. What is reserved counts as taken. */
export class Quotas {
  readonly #quotas: Map<string, Quota>;
  readonly #used = new Map<string, Amounts>();

  constructor(quotas: ReadonlyMap<string, Quota> = new Map()) {
    this.#quotas = new Map(quotas);
  }

  /**
   * Holds for what is placed from now on; what is placed already stays. `undefined`: the namespace is not
   * limited any more.
   */
  set(namespace: string, quota: Quota | undefined): void {
    if (quota === undefined) this.#quotas.delete(namespace);
    else this.#quotas.set(namespace, quota);
  }

  quotaOf(namespace: string): Quota | undefined {
    return this.#quotas.get(namespace);
  }

  /** Namespaces that have a quota, by name. */
  namespaces(): string[] {
    return [...this.#quotas.keys()].toSorted();
  }

  /**
   * The first amount that would go over the namespace's quota, or `undefined`. What asks for none of an
   * amount fits, though more of it may be used than a quota that was lowered allows.
   */
  missOf(namespace: string, wanted: Amounts): QuotaMiss | undefined {
    const quota = this.#quotas.get(namespace);
    if (quota === undefined) return undefined;
    const used = this.usedBy(namespace);
    for (const amount of amounts) {
      const limit = quota[amount];
      if (limit === undefined || wanted[amount] === 0 || used[amount] + wanted[amount] <= limit) continue;
      return { amount, used: used[amount], wanted: wanted[amount], limit };
    }
    return undefined;
  }

  usedBy(namespace: string): Amounts {
    return this.#used.get(namespace) ?? nothing;
  }

  take(namespace: string, wanted: Amounts): void {
    this.#change(namespace, wanted, 1);
  }

  give(namespace: string, wanted: Amounts): void {
    this.#change(namespace, wanted, -1);
  }

  #change(namespace: string, wanted: Amounts, sign: 1 | -1): void {
    const used = this.usedBy(namespace);
    if (used.sessions + sign * wanted.sessions === 0) {
      this.#used.delete(namespace);
      return;
    }
    this.#used.set(namespace, {
      sessions: used.sessions + sign * wanted.sessions,
      cpuMilli: used.cpuMilli + sign * wanted.cpuMilli,
      memoryMib: used.memoryMib + sign * wanted.memoryMib,
      gpuMilli: used.gpuMilli + sign * wanted.gpuMilli,
    });
  }
}
