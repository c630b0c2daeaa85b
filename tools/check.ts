// npm run check: everything that needs no server. Stops at the first failure, which names its fix.
import { execFileSync } from "node:child_process";
import { run } from "./run.ts";

const steps: readonly (readonly [string, () => void])[] = [
  ["format (fix: npm run format)", () => run("biome", ["check", "--error-on-warnings", "."])],
  ["types", () => run("tsc", ["-p", "tsconfig.json"])],
  ["lint", () => run("oxlint", ["--type-aware", "."])],
  ["proto lint", () => run("buf", ["lint"])],
  ["house rules", () => run("node", ["tools/tidy.ts"])],
  ["generated code", checkGenerated],
];

for (const [name, step] of steps) {
  const started = performance.now();
  try {
    step();
  } catch (error) {
    console.error(`check: ${name} failed: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  }
  console.log(`check: ${name} ok (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}

function checkGenerated(): void {
  run("node", ["tools/generate.ts"]);
  const changed = execFileSync("git", ["status", "--porcelain", "--", "*/gen/*"], { encoding: "utf8" });
  if (changed !== "")
    throw new Error(`generated code differs from its source; commit what \`npm run generate\` wrote:\n${changed}`);
}
