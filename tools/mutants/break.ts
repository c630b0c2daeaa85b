// Imported before anything else, by each thread of the process of one mutant: puts the break in place.
import { patchSource } from "../../test/src/patch/patch.ts";

const mutant = process.env["MUTANT"] ?? "";
if (mutant !== "") {
  const { file, find, replace } = JSON.parse(mutant);
  patchSource(file, find, replace);
}
