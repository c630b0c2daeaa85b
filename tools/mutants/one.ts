// One process of one mutant: loads the tests with the break in place and ends with 1 at the first that fails.

import { resolve } from "node:path";
import { run } from "node:test";

/** The canaries have breaks of their own; what a mutant must face is the schedules. */
const canaries = /without the rule /;

const tests: readonly string[] = JSON.parse(process.argv[2] ?? "");
const stream = run({
  files: tests.map((file) => resolve(file)),
  isolation: "none",
  testSkipPatterns: [canaries],
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
