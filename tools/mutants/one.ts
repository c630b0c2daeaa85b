// One process of one mutant: loads the tests with the break in place and ends with 1 at the first that fails.

import { resolve } from "node:path";
import { run } from "node:test";
import { patchSource } from "../../test/src/patch/patch.ts";

/** The canaries have breaks of their own; what a mutant must face is the schedules. */
const named = /^(?!without the rule )/;

const { patch, tests } = JSON.parse(process.argv[2] ?? "");
if (patch !== undefined) patchSource(patch.file, patch.find, patch.replace);
const stream = run({
  files: tests.map((file: string) => resolve(file)),
  isolation: "none",
  testNamePatterns: [named],
});
let passed = 0;
stream.on("test:pass", () => {
  passed += 1;
});
stream.on("test:fail", ({ name }) => {
  console.log(`failed: ${name}`);
  process.exit(1);
});
stream.on("end", () => process.exit(passed > 0 ? 0 : 2));
stream.resume();
