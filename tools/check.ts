// npm run check: everything that needs no server. Stops at the first failure, which names its fix.
import { execFileSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { wordsOf } from "../stdx/src/words.ts";
import { run } from "./run.ts";

const steps: readonly (readonly [string, () => void])[] = [
  ["generated code", checkGenerated],
  ["format (fix: npm run format)", () => run("biome", ["check", "--error-on-warnings", "."])],
  ["types", () => run("tsc", ["-p", "tsconfig.json"])],
  ["lint", () => run("oxlint", ["--type-aware", "."])],
  // a configuration of its own: the fence's may not know the globals of Node, which pure code must not use
  [
    "names (none stands for another, nor for a global)",
    () => run("oxlint", ["-c", "tools/gen/names.json", "."]),
  ],
  ["fences between rooms", () => run("node", ["tools/probes.ts"])],
  ["edges between rooms (what is allowed is used)", () => run("node", ["tools/edges.ts"])],
  ["proto lint", () => run("buf", ["lint"])],
  ["proto breaking (against main)", checkBreaking],
  ["house rules", () => run("node", ["tools/tidy.ts"])],
  ["ratchets (what a room has reached it keeps)", () => run("node", ["tools/ratchets.ts"])],
  ["dead code (fix: remove what it names)", () => run("knip", ["-c", "tools/knip.ts", "--no-config-hints"])],
];

for (const [name, step] of steps) {
  const started = performance.now();
  try {
    step();
  } catch (error) {
    console.error(`check: ${name} failed: ${wordsOf(error)}`);
    process.exit(1);
  }
  console.log(`check: ${name} ok (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}

function checkGenerated(): void {
  const generated = (): ReadonlyMap<string, string> =>
    new Map(
      globSync(["*/gen/**/*.*", "docs/ARCHITECTURE.md"], { exclude: ["node_modules"] }).map((file) => [
        file,
        readFileSync(file, "utf8"),
      ]),
    );
  const before = generated();
  run("node", ["tools/generate.ts"]);
  const changed = [...generated()].flatMap(([file, text]) => (before.get(file) === text ? [] : [file]));
  if (changed.length > 0)
    throw new Error(`these differed from their sources; commit what was written: ${changed.join(", ")}`);
}

/**
 * What clients and stored data rely on may not change under them. Clones of continuous integration may have
 * no main.
 */
function checkBreaking(): void {
  const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8" }).trim();
  if (git("for-each-ref", "refs/heads/main") === "") {
    console.log("check: there is no branch main to compare the protobuf files with");
    return;
  }
  run("buf", ["breaking", "--against", `${git("rev-parse", "--git-common-dir")}#branch=main`]);
}
