// Chance for handlers, from the seed of their mesh.
import type { Prng } from "@voda/stdx";
import type { ThreadWorld } from "../worker/world.ts";

const uuidDigits = [8, 4, 4, 4, 12];

export function chanceOf(prng: Prng): Pick<ThreadWorld, "random" | "uuid" | "bytes"> {
  const digits = (count: number): string =>
    Array.from({ length: count }, () => prng.below(16).toString(16)).join("");
  return {
    random: () => prng.next(),
    bytes: (count) => Uint8Array.from({ length: count }, () => prng.below(256)),
    // version 4, variant 1 (RFC 9562)
    uuid: () =>
      uuidDigits
        .map(digits)
        .join("-")
        .replace(/^(.{14})./, "$14")
        .replace(/^(.{19})./, "$18"),
  };
}
