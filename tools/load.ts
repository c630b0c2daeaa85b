// npm run test:load [-- --file PART] [--minutes 30] [--jobs 3]: runs every test file that starts servers
// again and again, some side by side as `npm test` does, while other processes burn all cores: 5 times, those
// that touch processes or time 20 times. What ran stands in .voda/load/ran.jsonl, so that totals add up over
// days and a run that was stopped goes on; what ran least is next. A file that fails once is a fault, and
// after it begins anew.
import { once } from "node:events";
import { appendFileSync, existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { startNode } from "./child.ts";
import { keepCompiled } from "./compile-cache.ts";
import { wholeNumber } from "./flags.ts";

/** A line of the ledger. */
interface Ran {
  readonly file: string;
  readonly isWell: boolean;
  readonly seconds: number;
}

const home = ".voda/load";
const ledger = `${home}/ran.jsonl`;
const timesWanted = 5;
const touchyTimesWanted = 20;
/** A file that needs longer under load is as good as one that fails. */
const fileMsMax = 600_000;
/** What a file is taken to need before it has run. */
const unknownSeconds = 60;
/** Processes that come and go, signals, and clocks. */
const touchy = /startProcess|startMesh|startCluster|freeze|SIGKILL|kill9|spawn\(|monotonic|deadline/;
/** Ends when its input closes. */
const burning = `
process.stdin.on("end", () => process.exit()).resume();
const burn = () => {
  for (const end = performance.now() + 20; performance.now() < end; );
  setImmediate(burn);
};
burn();`;

keepCompiled();
const { values: flags } = parseArgs({
  options: {
    file: { type: "string", default: "" },
    minutes: { type: "string", default: "30" },
    jobs: { type: "string", default: String(availableParallelism() + 1) },
  },
});
const endMs = performance.now() + wholeNumber("minutes", flags.minutes) * 60_000;
const jobs = wholeNumber("jobs", flags.jobs);

const files = globSync("*/**/*.{integration,envoy,e2e}.test.ts", { exclude: ["**/node_modules"] }).filter(
  (file) => file.includes(flags.file),
);
if (files.length === 0) throw new Error(`no test that starts servers matches "${flags.file}"`);
const wanted = new Map(
  files.map((file) => [file, touchy.test(readFileSync(file, "utf8")) ? touchyTimesWanted : timesWanted]),
);
/** Of a file of the ledger that is gone: none. */
const wantedOf = (file: string): number => wanted.get(file) ?? 0;
mkdirSync(home, { recursive: true });
const past = readLedger();
const ran: Ran[] = [];
const runsOf = (file: string): readonly Ran[] => [...past, ...ran].filter((one) => one.file === file);
/** Those since it last failed: a change came after it, and is what must be seen to hold. */
const wellBefore = new Map(files.map((file) => [file, wellSince(past.filter((one) => one.file === file))]));
const countOf = (file: string): number =>
  (wellBefore.get(file) ?? 0) + ran.filter((one) => one.file === file).length;
const running = new Set<string>();

for (let core = 0; core < availableParallelism(); core += 1) startNode({ args: ["-e", burning] });
await Promise.all(Array.from({ length: jobs }, work));
report();
// Ends the burners too.
process.exit();

function readLedger(): Ran[] {
  if (!existsSync(ledger)) return [];
  const lines = readFileSync(ledger, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line)).filter(({ file }) => wanted.has(file));
}

function wellSince(runs: readonly Ran[]): number {
  return runs.length - (runs.findLastIndex(({ isWell }) => !isWell) + 1);
}

async function work(): Promise<void> {
  for (let file = chooseNext(); file !== undefined; file = chooseNext()) {
    running.add(file);
    await runOnce(file);
    running.delete(file);
  }
}

/** Of those that end in time: what ran least, and of these what must run most. */
function chooseNext(): string | undefined {
  const secondsLeft = (endMs - performance.now()) / 1_000;
  const secondsOf = (file: string): number => runsOf(file).at(-1)?.seconds ?? unknownSeconds;
  return files
    .filter((file) => !running.has(file) && countOf(file) < wantedOf(file))
    .filter((file) => secondsOf(file) < secondsLeft)
    .toSorted((a, b) => countOf(a) - countOf(b) || wantedOf(b) - wantedOf(a))[0];
}

/** Its output is kept only where it failed: of thousands of runs nobody reads the others. */
async function runOnce(file: string): Promise<void> {
  const startedMs = performance.now();
  let output = "";
  const child = startNode({
    args: ["--test", "--test-reporter=./tools/reporter.ts", `--test-timeout=${fileMsMax}`, file],
    onOutput: (text) => {
      output += text;
    },
  });
  const [code] = await once(child, "close");
  const one = { file, isWell: code === 0, seconds: Math.round((performance.now() - startedMs) / 1_000) };
  ran.push(one);
  appendFileSync(ledger, `${JSON.stringify(one)}\n`);
  if (one.isWell) return;
  const log = `${home}/${file.replaceAll("/", "-")}-${runsOf(file).length}.log`;
  writeFileSync(log, output);
  console.log(`failed ${file} after ${one.seconds} s: ${log}`);
}

/**
 * The list is of the whole ledger, mended files too; the exit code is of what ran now. It is no pass to have
 * run nothing while something is left.
 */
function report(): void {
  const failures = [...past, ...ran].filter(({ isWell }) => !isWell);
  for (const file of new Set(failures.map((one) => one.file))) {
    const failed = failures.filter((one) => one.file === file).length;
    const runs = runsOf(file);
    console.log(`${file}: ${failed} of ${runs.length} runs failed, ${wellSince(runs)} since were well`);
  }
  const left = files.reduce((total, file) => total + Math.max(0, wantedOf(file) - countOf(file)), 0);
  const failedNow = ran.filter(({ isWell }) => !isWell).length;
  console.log(`load: ${ran.length} runs of ${files.length} files, ${failedNow} failed, ${left} runs left`);
  if (ran.length === 0 && left > 0) console.log("nothing ran: give it more --minutes");
  process.exitCode = failedNow > 0 || (ran.length === 0 && left > 0) ? 1 : 0;
}
