// One loop over several devices at once: each takes batches in proportion to what it has been seen to do,
// ever smaller ones towards the end, so that all end together (guided self-scheduling; Polychronopoulos and
// Kuck, 1987; here with weights). Pure: who runs them, measures.
import { assert } from "@voda/stdx";

/** Indexes that follow each other. */
export interface Batch {
  readonly start: number;
  readonly count: number;
}

/** A loop, and how many devices run it. */
export interface BatchesOptions {
  /** Indexes of the loop: 0 up to this. */
  readonly count: number;
  readonly devices: number;
  /** Indexes of a batch at least, but for the last one: what a launch costs is spread over them. */
  readonly grain: number;
}

/** Part of a device's share of the rest that it gets at once: a rate that changes then costs little. */
const partOfShare = 1 / 8;
/** Weight of the newest batch in a device's rate. */
const newest = 1 / 2;

/** Which indexes are still to be run, and by whom they are. */
export class Batches {
  readonly #grain: number;
  readonly #running: (Batch | undefined)[];
  /** Indexes per millisecond; `undefined` before a device has ended a batch. */
  readonly #rates: (number | undefined)[];
  readonly #lost = new Set<number>();
  /** Given back by devices that were lost. */
  readonly #returned: Batch[] = [];
  readonly #end: number;
  #next = 0;

  constructor({ count, devices, grain }: BatchesOptions) {
    assert(Number.isInteger(grain) && grain >= 1, `a grain of ${grain}`);
    this.#end = count;
    this.#grain = grain;
    this.#running = Array.from({ length: devices });
    this.#rates = Array.from({ length: devices });
  }

  /** Whether every index has been run. */
  get isOver(): boolean {
    return this.#left() === 0 && this.#running.every((batch) => batch === undefined);
  }

  /** What the device runs next: nothing when all is given out, or it is lost. */
  take(device: number): Batch | undefined {
    assert(this.#running[device] === undefined, `device ${device} runs a batch already`);
    if (this.#lost.has(device)) return undefined;
    const batch = this.#returned.pop() ?? this.#fresh(device);
    this.#running[device] = batch;
    return batch;
  }

  /** The device has run its batch, in `ms` milliseconds. */
  ended(device: number, ms: number): void {
    const batch = this.#endOf(device);
    const rate = batch.count / Math.max(ms, Number.MIN_VALUE);
    const known = this.#rates[device] ?? rate;
    this.#rates[device] = known + newest * (rate - known);
  }

  /** The device is gone, and what it was running counts as not run: another one gets it. */
  lost(device: number): void {
    this.#lost.add(device);
    if (this.#running[device] !== undefined) this.#returned.push(this.#endOf(device));
  }

  #endOf(device: number): Batch {
    const batch = this.#running[device];
    assert(batch !== undefined, `device ${device} runs no batch`);
    this.#running[device] = undefined;
    return batch;
  }

  #fresh(device: number): Batch | undefined {
    const left = this.#end - this.#next;
    if (left === 0) return undefined;
    const share = Math.ceil(left * this.#shareOf(device) * partOfShare);
    const batch = { start: this.#next, count: Math.min(left, Math.max(this.#grain, share)) };
    this.#next += batch.count;
    return batch;
  }

  /** 0 to 1; a device that has not run yet gets a grain to show what it does. */
  #shareOf(device: number): number {
    const rate = this.#rates[device];
    if (rate === undefined) return 0;
    const known = this.#rates.filter((one, i) => one !== undefined && !this.#lost.has(i));
    const sum = known.reduce<number>((total, one) => total + (one ?? 0), 0);
    // those of which nothing is known yet are taken for average ones
    const all = (sum / known.length) * (this.#rates.length - this.#lost.size);
    return rate / all;
  }

  #left(): number {
    return this.#end - this.#next + this.#returned.reduce((sum, { count }) => sum + count, 0);
  }
}
