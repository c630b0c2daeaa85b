// npm run check: everything that needs no server. Stops at the first failure, which names its fix.
import { execFileSync } from "node:child_process";
import { run } from "./run.ts";

const steps: readonly (readonly [string, () => void])[] = [
  ["format (fix: npm run format)", () => run("biome", ["check", "--error-on-warnings", "."])],
  ["types", () => run("tsc", ["-p", "tsconfig.json"])],
  ["lint", () => run("oxlint", ["--type-aware", "."])],
  ["proto lint", () => run("buf", ["lint"])],
  ["proto breaking (against main)", checkBreaking],
  ["house rules", () => run("node", ["tools/tidy.ts"])],
  // Types are not searched: a room's face names those of its functions, whoever imports them today.
  ["dead code (fix: remove what it names)", () => run("knip", ["--no-config-hints"])],
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
    throw new Error(
      `generated code differs from its source; commit what \`npm run generate\` wrote:\n${changed}`,
    );
}

/** What clients and stored data rely on may not change under them. Clones of continuous integration may have no main. */
function checkBreaking(): void {
  const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8" }).trim();
  if (git("for-each-ref", "refs/heads/main") === "") {
    console.log("check: there is no branch main to compare the protobuf files with");
    return;
  }
  run("buf", ["breaking", "--against", `${git("rev-parse", "--git-common-dir")}#branch=main`]);
}
