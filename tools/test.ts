// npm test [-- kind ...] [-- --file PART]: one `node --test` per kind of test, told by the file's suffix.
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";

interface Kind {
  readonly name: string;
  readonly flags: readonly string[];
}

// Pure kinds share one process; kinds that start servers run one file at a time, so that two cores measure one thing.
const kinds: readonly Kind[] = [
  { name: "unit", flags: ["--test-isolation=none", "--test-timeout=60000"] },
  { name: "prop", flags: ["--test-isolation=none", "--test-timeout=120000"] },
  { name: "sim", flags: ["--test-concurrency=2", "--test-timeout=300000"] },
  { name: "integration", flags: ["--test-concurrency=1", "--test-timeout=120000"] },
  { name: "envoy", flags: ["--test-concurrency=1", "--test-timeout=120000"] },
  { name: "e2e", flags: ["--test-concurrency=1", "--test-timeout=300000"] },
];

/** Suites with needs of their own (other languages, package registries); each has its own npm script. */
const separate = ["clients", "pack"];

function kindOf(file: string): string {
  const suffix = /\.([a-z0-9]+)\.test\.ts$/.exec(file)?.[1];
  return suffix ?? "unit";
}

const { asked, part } = readArguments(process.argv.slice(2));
const files = globSync("*/**/*.test.ts", { exclude: ["**/node_modules", "**/dist", "**/gen"] }).filter(
  (file) => file.includes(part),
);
const known = new Set([...kinds.map((kind) => kind.name), ...separate]);
const strange = files.filter((file) => !known.has(kindOf(file)));
for (const file of strange)
  console.error(`${file}: unknown kind of test "${kindOf(file)}"; known are ${[...known].join(", ")}`);
const unknown = asked.filter((name) => !known.has(name));
for (const name of unknown)
  console.error(`unknown kind of test "${name}"; known are ${[...known].join(", ")}`);

let failed = strange.length > 0 || unknown.length > 0;
const wanted = asked.length > 0 ? asked : kinds.map((kind) => kind.name);
for (const name of failed ? [] : wanted) {
  const ofKind = files.filter((file) => kindOf(file) === name);
  if (ofKind.length === 0) {
    if (part !== "" && asked.length === 0) continue;
    console.error(`no ${name} test${part === "" ? "" : ` matches "${part}"`}`);
    failed = true;
    continue;
  }
  const flags = kinds.find((kind) => kind.name === name)?.flags ?? [
    "--test-concurrency=1",
    "--test-timeout=600000",
  ];
  const started = performance.now();
  console.log(`# ${name}: ${ofKind.length} files`);
  const result = spawnSync(
    process.execPath,
    ["--test", "--test-reporter=./tools/reporter.mjs", ...flags, ...ofKind],
    {
      stdio: "inherit",
    },
  );
  console.log(`# ${name}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  if (result.status !== 0) failed = true;
}
process.exitCode = failed ? 1 : 0;

function readArguments(args: readonly string[]): { asked: string[]; part: string } {
  const at = args.indexOf("--file");
  if (at < 0) return { asked: [...args], part: "" };
  return { asked: args.filter((_, i) => i !== at && i !== at + 1), part: args[at + 1] ?? "" };
}
