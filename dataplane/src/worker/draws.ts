// What a handler takes of the clock and of chance: the same when its turn runs again, as far as the journal
// of the turn has it (docs/effects.md).
import { hash16 } from "@voda/proto/hash16";
import { type Drawn, type Recalled, seedBytes, turnTimesMax } from "../call/index.ts";
import type { ThreadWorld } from "./world.ts";

/** Part of a context; each can be taken out of it. */
export interface Draws {
  readonly now: () => number;
  readonly random: () => number;
  readonly uuid: () => string;
}

type DrawnWorld = Pick<ThreadWorld, keyof Draws | "bytes">;

const none: Recalled["times"] = [];
const asBytes = "hex";
/** As many bits as the fraction of a number has. */
const fractionBits = 53n;

/** Of 16 bytes of chance: version 4, variant 1 (RFC 9562). */
export function uuidOf(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString(asBytes);
  const variant = "89ab".charAt(Number.parseInt(hex.charAt(16), 16) & 3);
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`];
  return [...parts, `${variant}${hex.slice(17, 20)}`, hex.slice(20)].join("-");
}

/** Made when a turn asks for the first of them. What a step draws is new each time, as the step is. */
export class TurnDraws implements Draws {
  readonly #world: DrawnWorld;
  readonly #isInStep: () => boolean;
  readonly #seed: Uint8Array;
  readonly #seedText: string;
  readonly #timesMax: number;
  /** What the clock showed when the turn ran before. */
  readonly #known: readonly number[];
  #knownAt = 0;
  /** What no entry of the journal holds yet. */
  #times: number[] = [];
  #noted = 0;
  #randoms = 0;
  #uuids = 0;

  /** `timesMax`: readings of the clock that its journal has room for. */
  constructor(
    recalled: Recalled | undefined,
    world: DrawnWorld,
    isInStep: () => boolean,
    timesMax = turnTimesMax,
  ) {
    this.#timesMax = timesMax;
    this.#world = world;
    this.#isInStep = isInStep;
    this.#seed = recalled?.seed ?? world.bytes(seedBytes);
    this.#seedText = Buffer.from(this.#seed).toString(asBytes);
    this.#known = (recalled?.times ?? none).flat();
    this.#noted = this.#known.length;
  }

  readonly now = (): number => {
    if (this.#isInStep()) return this.#world.now();
    const known = this.#known[this.#knownAt];
    this.#knownAt += 1;
    if (known !== undefined) return known;
    const time = this.#world.now();
    // the journal would refuse it after the next step is done
    if (!Number.isSafeInteger(time) || time < 0)
      throw new RangeError(`Date.now gives ${time}, which are no milliseconds since 1970`);
    if (!this.isOver) this.#times.push(time);
    return time;
  };

  /** Every bit of it follows from the seed. */
  readonly random = (): number => {
    if (this.#isInStep()) return this.#world.random();
    this.#randoms += 1;
    const bits = new DataView(this.#hash("random", this.#randoms).buffer).getBigUint64(0);
    return Number(bits >> (64n - fractionBits)) / 2 ** Number(fractionBits);
  };

  readonly uuid = (): string => {
    if (this.#isInStep()) return this.#world.uuid();
    this.#uuids += 1;
    return uuidOf(this.#hash("uuid", this.#uuids));
  };

  /** The turn has asked the clock more often than its journal can hold. */
  get isOver(): boolean {
    return this.#noted + this.#times.length >= this.#timesMax;
  }

  /** For the journal, whose entry says it once. */
  take(): Drawn {
    const times = this.#times;
    this.#times = [];
    this.#noted += times.length;
    return { seed: this.#seed, times };
  }

  #hash(what: string, number: number): Uint8Array {
    return hash16(`${this.#seedText} ${what} ${number}`);
  }
}
