// npm test [-- kind ...] [-- --file PART]: the kind of a test is told by its file's suffix. Of the kinds that
// only compute as many run at a time as there are cores, so that none is left over for one core at the end;
// beside them those that start servers and mostly wait for them, some files at a time.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { run } from "node:test";
import { keepCompiled } from "./compile-cache.ts";
import { buildPrograms } from "./programs.ts";
import report from "./reporter.ts";

/** All tests with one suffix. */
interface Kind {
  readonly name: string;
  readonly timeoutMs: number;
  /** Flags of `node --test`, where the kind only computes. */
  readonly flags?: readonly string[];
}

const kinds: readonly Kind[] = [
  { name: "unit", timeoutMs: 60_000, flags: ["--test-isolation=none"] },
  { name: "prop", timeoutMs: 120_000, flags: ["--test-isolation=none"] },
  { name: "sim", timeoutMs: 300_000, flags: ["--test-concurrency=2"] },
  { name: "e2e", timeoutMs: 300_000 },
  { name: "integration", timeoutMs: 300_000 },
  { name: "envoy", timeoutMs: 300_000 },
];
/** They mostly wait: so many keep the cores busy, also when no kind that computes runs beside them. */
const serversAtOnce = 2 * availableParallelism();

/**
 * Files that wait for long and compute little: they come first, beside the kinds that compute, and none of
 * them is what the others have to wait for at the end.
 */
const waiting = [
  "controlplane/src/control-plane.integration.test.ts",
  "controlplane/src/publish/limits.envoy.test.ts",
  "controlplane/src/store-away.integration.test.ts",
  "dataplane/src/membership/membership.integration.test.ts",
  "dataplane/src/store/asleep-trims.integration.test.ts",
  "test/src/data-loss.integration.test.ts",
  "test/src/e2e/gang.e2e.test.ts",
  "test/src/e2e/make-room.e2e.test.ts",
  "test/src/nats-facts.integration.test.ts",
  "test/src/store-full.integration.test.ts",
  "test/src/timers.integration.test.ts",
  "test/src/workflows.integration.test.ts",
];

/**
 * Suites with an npm script of their own, one file at a time: benches and slow matrices, and what needs other
 * languages or package registries.
 */
const separate: readonly Kind[] = ["full", "clients", "pack"].map((name) => ({ name, timeoutMs: 600_000 }));
/** On two cores, in seconds. */
const budgets = { test: 300, full: 2_400 };
/** Of the files that `npm test` names at its end. */
const slowestShown = 10;

function kindOf(file: string): string {
  const suffix = /\.([a-z0-9]+)\.test\.ts$/.exec(file)?.[1];
  return suffix ?? "unit";
}

keepCompiled();
const { asked, part } = readArguments(process.argv.slice(2));
const files = globSync("*/**/*.test.ts", { exclude: ["**/node_modules", "**/dist", "**/gen"] }).filter(
  (file) => file.includes(part),
);
const known = new Map([...kinds, ...separate].map((kind) => [kind.name, kind]));
/** A misspelt suffix would be a file that never runs. */
const problems = [
  ...waiting.filter((file) => !existsSync(file)).map((file) => `${file} in tools/test.ts: no such test`),
  ...files
    .filter((file) => !known.has(kindOf(file)))
    .map((file) => `${file}: unknown kind of test "${kindOf(file)}"`),
  ...asked.filter((name) => !known.has(name)).map((name) => `unknown kind of test "${name}"`),
];
for (const problem of problems) console.error(`${problem}; known are ${[...known.keys()].join(", ")}`);
if (files.length === 0) console.error(`no test matches "${part}"`);
if (problems.length > 0 || files.length === 0) process.exit(1);

const timesFolder = mkdtempSync(join(tmpdir(), "voda-times-"));
const wanted = asked.length > 0 ? asked.flatMap((name) => known.get(name) ?? []) : kinds;
const computing = wanted.filter(({ flags }) => flags !== undefined);
const serving = wanted.filter(({ flags }) => flags === undefined);
const msOfFiles = new Map<string, number>();
try {
  const results = await Promise.all([computeAll(), serveAll()]);
  printSlowest();
  printBudget();
  if (results.includes(false)) process.exitCode = 1;
} finally {
  rmSync(timesFolder, { recursive: true });
}

/** Files of a kind. @returns undefined, and says so, where there must be some and are none */
function filesOf({ name }: Kind): readonly string[] | undefined {
  const ofKind = files.filter((file) => kindOf(file) === name);
  if (ofKind.length > 0 || (part !== "" && asked.length === 0)) return ofKind;
  console.error(`no ${name} test${part === "" ? "" : ` matches "${part}"`}`);
  return undefined;
}

function secondsSince(startedMs: number): string {
  return ((performance.now() - startedMs) / 1000).toFixed(1);
}

async function computeAll(): Promise<boolean> {
  const left = [...computing];
  let isWell = true;
  const work = async (): Promise<void> => {
    for (let kind = left.shift(); kind !== undefined; kind = left.shift())
      isWell = (await compute(kind)) && isWell;
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return isWell;
}

/** Its output comes as one piece where something else runs at the same time. */
async function compute(kind: Kind): Promise<boolean> {
  const ofKind = filesOf(kind);
  if (ofKind === undefined || ofKind.length === 0) return ofKind !== undefined;
  const isWhole = wanted.length > 1;
  const startedMs = performance.now();
  const title = `# ${kind.name}: ${ofKind.length} files`;
  if (!isWhole) console.log(title);
  const args = [
    "--test",
    "--test-reporter=./tools/reporter.ts",
    "--test-reporter-destination=stdout",
    "--test-reporter=./tools/times.ts",
    `--test-reporter-destination=${join(timesFolder, kind.name)}`,
    `--test-timeout=${kind.timeoutMs}`,
    ...(kind.flags ?? []),
    ...ofKind,
  ];
  const child = spawn(process.execPath, args, { stdio: isWhole ? ["ignore", "pipe", "pipe"] : "inherit" });
  let output = "";
  for (const pipe of [child.stdout, child.stderr])
    pipe?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  const [code] = await once(child, "close");
  if (isWhole) console.log(`${title}\n${output.trimEnd()}`);
  console.log(`# ${kind.name}: ${secondsSince(startedMs)} s`);
  return code === 0;
}

async function serveAll(): Promise<boolean> {
  const found = serving.map(filesOf);
  // Long files take longest: short ones fill what is left at the end.
  const ofKinds = found
    .flatMap((some) => (some ?? []).toSorted((one, other) => statSync(other).size - statSync(one).size))
    .toSorted((one, other) => Number(waiting.includes(other)) - Number(waiting.includes(one)));
  const hasAll = !found.includes(undefined);
  if (ofKinds.length === 0) return hasAll;
  const names = serving.map(({ name }) => name).join(", ");
  // Suites of their own measure, or start whole meshes: beside another they would measure that one.
  const concurrency = serving.some((kind) => separate.includes(kind)) ? 1 : serversAtOnce;
  const startedMs = performance.now();
  await buildPrograms();
  console.log(`# ${names}: ${ofKinds.length} files, ${concurrency} at a time`);
  const stream = run({
    files: ofKinds,
    concurrency,
    timeout: Math.max(...serving.map(({ timeoutMs }) => timeoutMs)),
  });
  let isWell = hasAll;
  stream.on("test:fail", () => {
    isWell = false;
  });
  /** A file's own entry has its path as its name: of its tests the times are in it already. */
  stream.on("test:complete", ({ name, file, details }) => {
    if (file !== undefined && resolve(name) === file) msOfFiles.set(file, details.duration_ms);
  });
  const shown = Readable.from(report(stream));
  shown.pipe(process.stdout, { end: false });
  await finished(shown);
  console.log(`# ${names}: ${secondsSince(startedMs)} s`);
  return isWell;
}

function printSlowest(): void {
  for (const { name } of computing) {
    const times = join(timesFolder, name);
    if (!existsSync(times)) continue;
    const lines = readFileSync(times, "utf8").split("\n").slice(0, -1);
    for (const { file, ms } of lines.map((line) => JSON.parse(line)))
      msOfFiles.set(file, (msOfFiles.get(file) ?? 0) + ms);
  }
  const slowest = [...msOfFiles].toSorted(([, a], [, b]) => b - a).slice(0, slowestShown);
  console.log(`# the slowest of ${msOfFiles.size} files`);
  for (const [file, ms] of slowest)
    console.log(`#   ${(ms / 1000).toFixed(1).padStart(6)} s  ${relative(".", file)}`);
}

/** Of whole suites only. Time is a budget that rooms to come share: who goes over it sees it here first. */
function printBudget(): void {
  if (part !== "" || asked.length > 1) return;
  const [name = "test"] = asked;
  const budget = Object.entries(budgets).find(([suite]) => suite === name)?.[1];
  if (budget === undefined) return;
  const script = name === "test" ? name : `run test:${name}`;
  console.log(`# npm ${script} took ${secondsSince(0)} of ${budget} s`);
}

function readArguments(args: readonly string[]): { asked: string[]; part: string } {
  const at = args.indexOf("--file");
  if (at < 0) return { asked: [...args], part: "" };
  const given = args[at + 1];
  if (given === undefined) throw new Error("--file without a part of a path");
  return { asked: args.filter((_, i) => i !== at && i !== at + 1), part: given };
}
