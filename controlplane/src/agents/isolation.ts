// The isolation class of a definition, in the words of the placement.
import { Isolation as Wire } from "@voda/proto/api";
import type { Isolation } from "@voda/proto/placement";

const classes: ReadonlyMap<Wire, Isolation> = new Map([
  [Wire.UNSPECIFIED, "process"],
  [Wire.SHARED, "shared"],
  [Wire.PROCESS, "process"],
  [Wire.DEDICATED, "dedicated"],
]);

/** `undefined` for a number that no class has. */
export function isolationOf(isolation: Wire = Wire.UNSPECIFIED): Isolation | undefined {
  return classes.get(isolation);
}
