// What handlers do outside of the session: each step begins from committed state, under one key, after the
// steps before it are in the lane, and never again once its own result is there.
import { Violation } from "./checks.ts";
import type { Operation } from "./clients.ts";
import type { Clockwork } from "./clockwork.ts";
import type { SimStore } from "./store.ts";

/** In their order; each begins when the one before has a result. */
export const stepNames = ["first", "second"] as const;

/** A step that the session lets begin. */
export interface Begun {
  readonly operation: Operation;
  readonly name: string;
  readonly idempotencyKey: string;
  /** The state that its handler sees. */
  readonly seen: string;
}

/** What a step is known by: results begin with it. */
export const stepOf = (operation: number, name: string): string => `${operation}.${name}`;

export class Outside {
  readonly #store: SimStore;
  readonly #clockwork: Clockwork;
  /** By step and life of the session. */
  readonly #keys = new Map<string, string>();
  readonly #done = new Map<string, number>();

  constructor(store: SimStore, clockwork: Clockwork) {
    this.#store = store;
    this.#clockwork = clockwork;
  }

  /** @throws Violation */
  begins({ operation, name, idempotencyKey, seen }: Begun): void {
    const store = this.#store;
    const step = stepOf(operation.number, name);
    if (store.journal.has(step)) throw new Violation(`step ${step} is done again: its result is in the lane`);
    if (!store.versions.some(({ effects }) => effects.join(" ") === seen))
      throw new Violation(`dirty step: ${step} begins from the state "${seen}", which is not committed`);
    const isKeyed = operation.kind === "run";
    const before = stepNames[stepNames.findIndex((one) => one === name) - 1];
    if (isKeyed && before !== undefined && !store.journal.has(stepOf(operation.number, before)))
      throw new Violation(`step ${step} begins before the result of ${before} is in the lane`);
    const times = this.#done.get(step) ?? 0;
    if (!isKeyed && times > 0) throw new Violation(`step ${step} of a call without an id is done again`);
    this.#done.set(step, times + 1);
    if (times >= operation.attempts)
      throw new Violation(
        `step ${step} begins ${times + 1} times for ${operation.attempts} attempts of its caller`,
      );
    if (times > 0) this.#clockwork.meet("a step that nobody has noted is done again");
    const known = this.#keys.get(`${store.lives} ${step}`) ?? idempotencyKey;
    if (known !== idempotencyKey) throw new Violation(`step ${step} has two keys`);
    this.#keys.set(`${store.lives} ${step}`, known);
  }
}
