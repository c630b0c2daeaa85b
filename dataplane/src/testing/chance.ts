// Chance for handlers, from the seed of their mesh.
import type { Prng } from "@voda/stdx";
import { uuidOf } from "../worker/draws.ts";
import type { ThreadWorld } from "../worker/world.ts";

export function chanceOf(prng: Prng): Pick<ThreadWorld, "random" | "uuid" | "bytes"> {
  const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => prng.below(256));
  return { random: () => prng.next(), bytes, uuid: () => uuidOf(bytes(16)) };
}
