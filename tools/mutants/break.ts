// Imported before anything else, by each thread of the process of one mutant: puts the break in place, or
// writes down what is loaded.
import { appendFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { patchSource } from "../../test/src/patch/patch.ts";

const mutant = process.env["MUTANT"] ?? "";
if (mutant !== "") {
  const { file, find, replace } = JSON.parse(mutant);
  try {
    patchSource(file, find, replace);
  } catch (error) {
    // No test has noticed anything: the sources are not those that the break was made for.
    console.error(error);
    process.exit(3);
  }
}

const loaded = process.env["MUTANT_LOADED"] ?? "";
if (loaded !== "")
  registerHooks({
    load(url, context, next) {
      if (url.startsWith("file:") && !url.includes("/node_modules/")) appendFileSync(loaded, `${url}\n`);
      return next(url, context);
    },
  });
