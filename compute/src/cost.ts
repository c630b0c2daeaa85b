// Which device runs a kernel: what a run takes on each is learned from runs, by size. Pure: who runs,
// measures.
import { unreachable } from "@voda/stdx";
import type { Extent } from "./bind.ts";
import { inOrder } from "./expression.ts";
import type { Kernel } from "./kernel.ts";

/** What is known of a device before it has run a kernel. */
export interface DeviceProfile {
  /** Microseconds of a run over nothing. */
  readonly launchUs: number;
  /** Nodes of an expression that it computes in a microsecond. */
  readonly nodesPerUs: number;
}

/**
 * Each device in question is tried before one is chosen for a size, until its runs have taken so long: short
 * ones are measured badly one by one, and cost little.
 */
export const triesUs = 20;
/** Tries whatever they take, and at most so many. */
export const triesMin = 3;
export const triesMax = 64;
/** Runs of a size until the devices in question get one more try each: rates change. */
export const recheckAfter = 64;
/** A device is in question while its run should take less than this many times the best one. */
export const inQuestionBelow = 3;
/** The chosen one is looked at before its time when it takes this many times what it was chosen for. */
export const slowerBy = 1.5;
/** Another device takes over when it takes this much less: near the crossing both are as good. */
export const takesOverBelow = 0.9;
/**
 * A run may be disturbed, and is never sped up: a faster one counts whole, a slower one moves what is known
 * by at most this part of it. A device that has become slower is known as such after some ten runs.
 */
const slowerStep = 1 / 8;
/** Sizes are told apart by half powers of two, up to 2^60 elements. */
const classesMax = 121;

/** How often the expression of a kernel is computed. */
export function elementsOf({ type }: Kernel, { n, rows = 1, depth = 1 }: Extent): number {
  switch (type) {
    case "map":
    case "reduce":
    case "scan":
    case "indexed":
      return n;
    case "rows":
      return n * rows;
    case "product":
      return n * rows * depth;
    default:
      return unreachable(type);
  }
}

/** Nodes of the expression, and one for where its value goes. */
export function nodesOf(kernel: Kernel): number {
  if (kernel.type === "product") return 5;
  return 1 + inOrder("outputs" in kernel ? kernel.outputs.values() : [kernel.value]).length;
}

/** Of one kernel. Each of its methods takes far less than a microsecond. */
export class CostModel {
  readonly #devices: readonly Learned[];
  /** By class. */
  readonly #chosen = new Uint8Array(classesMax);
  /** Microseconds per element that it was chosen for, by class. */
  readonly #expected = new Float64Array(classesMax);
  /** Runs until the next look, by class. */
  readonly #untilCheck = new Uint16Array(classesMax);
  /** Looks that have ended with a choice, by class. */
  readonly #checks = new Uint32Array(classesMax);

  /** @param nodes of the kernel's expression */
  constructor(profiles: readonly DeviceProfile[], nodes: number) {
    this.#devices = profiles.map((profile) => new Learned(profile, nodes));
  }

  /** For the next run of this size: a place in the profiles. */
  choose(elements: number): number {
    const at = classOf(elements);
    const left = this.#untilCheck[at] ?? 0;
    if (left === 0) return this.#check(at);
    this.#untilCheck[at] = left - 1;
    return this.#chosen[at] ?? 0;
  }

  /** What a run took on the device. */
  observe(device: number, elements: number, us: number): void {
    const at = classOf(elements);
    const perElement = this.#devices[device]?.observe(at, us / Math.max(1, elements)) ?? 0;
    const expected = this.#expected[at] ?? 0;
    if (device === this.#chosen[at] && perElement > slowerBy * expected) this.#untilCheck[at] = 0;
  }

  #check(at: number): number {
    const estimates = this.#devices.map((device) => device.estimate(at));
    const best = Math.min(...estimates);
    const checks = this.#checks[at] ?? 0;
    const isTried = (device: Learned, i: number): boolean =>
      (estimates[i] ?? best) < inQuestionBelow * best && device.takeTry(at, checks);
    const tried = this.#devices.findIndex(isTried);
    if (tried >= 0) return tried;
    const before = this.#chosen[at] ?? 0;
    const stays = checks > 0 && takesOverBelow * (estimates[before] ?? best) <= best;
    const chosen = stays ? before : estimates.indexOf(best);
    this.#chosen[at] = chosen;
    this.#expected[at] = estimates[chosen] ?? best;
    this.#untilCheck[at] = recheckAfter - 1;
    this.#checks[at] = checks + 1;
    return chosen;
  }
}

/** What is known of one device, by class. */
class Learned {
  readonly #profile: DeviceProfile;
  readonly #nodes: number;
  /** Microseconds per element; NaN when it has not run. */
  readonly #perElement = new Float64Array(classesMax).fill(Number.NaN);
  readonly #tries = new Uint32Array(classesMax);
  readonly #runs = new Uint32Array(classesMax);

  constructor(profile: DeviceProfile, nodes: number) {
    this.#profile = profile;
    this.#nodes = nodes;
  }

  /** Whether it wants a try before the choice that follows so many others; if so, it has it now. */
  takeTry(at: number, looks: number): boolean {
    const tries = this.#tries[at] ?? triesMax;
    if (tries >= this.#enough(at) + looks) return false;
    this.#tries[at] = tries + 1;
    return true;
  }

  /** Tries before the first choice. */
  #enough(at: number): number {
    const runUs = this.estimate(at) * 2 ** (at / 2);
    return Math.max(triesMin, Math.min(triesMax, triesUs / runUs));
  }

  /** What is known now, in microseconds per element. */
  observe(at: number, perElement: number): number {
    const known = this.#perElement[at] ?? Number.NaN;
    const isFaster = Number.isNaN(known) || perElement <= known;
    const now = isFaster ? perElement : Math.min(perElement, known * (1 + slowerStep));
    this.#perElement[at] = now;
    this.#runs[at] = (this.#runs[at] ?? 0) + 1;
    return now;
  }

  /**
   * Microseconds per element: as measured at this size; or at the nearest one, and changed as the profile
   * says; or what the profile says. A few runs say nothing yet: the first ones of a process are slow.
   */
  estimate(at: number): number {
    for (let far = 0; far < classesMax; far += 1)
      for (const near of [at - far, at + far]) {
        if ((this.#runs[near] ?? 0) < triesMin) continue;
        return ((this.#perElement[near] ?? 0) * this.#said(at)) / this.#said(near);
      }
    return this.#said(at);
  }

  #said(at: number): number {
    const { launchUs, nodesPerUs } = this.#profile;
    return launchUs / 2 ** (at / 2) + this.#nodes / nodesPerUs;
  }
}

const classOf = (elements: number): number => Math.round(2 * Math.log2(Math.max(1, elements)));
