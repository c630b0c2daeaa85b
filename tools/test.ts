// npm test [-- kind ...] [-- --file PART]: one `node --test` per kind of test, told by the file's suffix.
// Kinds that only compute run beside those that start servers and mostly wait for them.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

interface Kind {
  readonly name: string;
  /** Starts servers: one file at a time, so that two cores measure one thing. */
  readonly serves: boolean;
  readonly flags: readonly string[];
}

const alone = (timeoutMs: number): readonly string[] => [
  "--test-concurrency=1",
  `--test-timeout=${timeoutMs}`,
];
const kinds: readonly Kind[] = [
  { name: "unit", serves: false, flags: ["--test-isolation=none", "--test-timeout=60000"] },
  { name: "prop", serves: false, flags: ["--test-isolation=none", "--test-timeout=120000"] },
  { name: "sim", serves: false, flags: alone(300_000) },
  { name: "integration", serves: true, flags: alone(120_000) },
  { name: "envoy", serves: true, flags: alone(120_000) },
  { name: "e2e", serves: true, flags: alone(300_000) },
];

/**
 * Suites with an npm script of their own: slow matrices, and what needs other languages or package
 * registries.
 */
const separate: readonly Kind[] = ["full", "clients", "pack"].map((name) => ({
  name,
  serves: true,
  flags: alone(600_000),
}));
const slowestShown = 10;

function kindOf(file: string): string {
  const suffix = /\.([a-z0-9]+)\.test\.ts$/.exec(file)?.[1];
  return suffix ?? "unit";
}

const { asked, part } = readArguments(process.argv.slice(2));
const files = globSync("*/**/*.test.ts", { exclude: ["**/node_modules", "**/dist", "**/gen"] }).filter(
  (file) => file.includes(part),
);
const known = new Map([...kinds, ...separate].map((kind) => [kind.name, kind]));
const problems = [
  ...files
    .filter((file) => !known.has(kindOf(file)))
    .map((file) => `${file}: unknown kind of test "${kindOf(file)}"`),
  ...asked.filter((name) => !known.has(name)).map((name) => `unknown kind of test "${name}"`),
];
for (const problem of problems) console.error(`${problem}; known are ${[...known.keys()].join(", ")}`);
if (problems.length > 0) process.exit(1);

const timesFolder = mkdtempSync(join(tmpdir(), "voda-times-"));
const wanted = asked.length > 0 ? asked.flatMap((name) => known.get(name) ?? []) : kinds;
const chain = async (serves: boolean): Promise<boolean> => {
  let isWell = true;
  for (const kind of wanted.filter((one) => one.serves === serves)) isWell = (await runKind(kind)) && isWell;
  return isWell;
};
try {
  const [computes, serves] = await Promise.all([chain(false), chain(true)]);
  printSlowest();
  process.exitCode = computes && serves ? 0 : 1;
} finally {
  rmSync(timesFolder, { recursive: true });
}

/** Its output comes as one piece where another kind runs at the same time. */
async function runKind({ name, serves, flags }: Kind): Promise<boolean> {
  const ofKind = files.filter((file) => kindOf(file) === name);
  if (ofKind.length === 0) {
    if (part !== "" && asked.length === 0) return true;
    console.error(`no ${name} test${part === "" ? "" : ` matches "${part}"`}`);
    return false;
  }
  const isWhole = !serves && wanted.some((kind) => kind.serves);
  const started = performance.now();
  if (!isWhole) console.log(`# ${name}: ${ofKind.length} files`);
  const reporters = [
    "--test-reporter=./tools/reporter.mjs",
    "--test-reporter-destination=stdout",
    "--test-reporter=./tools/times.mjs",
    `--test-reporter-destination=${join(timesFolder, name)}`,
  ];
  const child = spawn(process.execPath, ["--test", ...reporters, ...flags, ...ofKind], {
    stdio: isWhole ? ["ignore", "pipe", "pipe"] : "inherit",
  });
  let output = "";
  for (const pipe of [child.stdout, child.stderr])
    pipe?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  const [code] = await once(child, "close");
  if (isWhole) console.log(`# ${name}: ${ofKind.length} files\n${output.trimEnd()}`);
  console.log(`# ${name}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return code === 0;
}

function printSlowest(): void {
  const sums = new Map<string, number>();
  for (const name of known.keys()) {
    const times = join(timesFolder, name);
    if (!existsSync(times)) continue;
    const lines = readFileSync(times, "utf8").split("\n").slice(0, -1);
    for (const { file, ms } of lines.map((line) => JSON.parse(line)))
      sums.set(file, (sums.get(file) ?? 0) + ms);
  }
  const slowest = [...sums].toSorted(([, a], [, b]) => b - a).slice(0, slowestShown);
  console.log(`# the slowest of ${sums.size} files`);
  for (const [file, ms] of slowest)
    console.log(`#   ${(ms / 1000).toFixed(1).padStart(6)} s  ${relative(".", file)}`);
}

function readArguments(args: readonly string[]): { asked: string[]; part: string } {
  const at = args.indexOf("--file");
  if (at < 0) return { asked: [...args], part: "" };
  return { asked: args.filter((_, i) => i !== at && i !== at + 1), part: args[at + 1] ?? "" };
}
