// npm run test:load [-- --file PART] [--minutes 30]: runs every test file that starts servers again and again
// while other processes burn all cores: 5 times, those that touch processes or time 20 times. What ran stands
// in .voda/load/ran.jsonl, so that totals add up over days and a run that was stopped goes on; the file that
// ran least is next. A file that fails once is a fault.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { keepCompiled } from "./compile-cache.ts";

interface Ran {
  readonly file: string;
  readonly isWell: boolean;
  readonly seconds: number;
}

const home = ".voda/load";
const ledger = `${home}/ran.jsonl`;
const timesWanted = 5;
const touchyTimesWanted = 20;
const fileMsMax = 600_000;
/** Processes that come and go, signals, and clocks. */
const touchy = /startProcess|startMesh|startCluster|freeze|SIGKILL|kill9|spawn\(|monotonic|deadline/;

keepCompiled();
const { values: flags } = parseArgs({
  options: { file: { type: "string", default: "" }, minutes: { type: "string", default: "30" } },
});

const files = globSync("*/**/*.{integration,envoy,e2e,full}.test.ts", {
  exclude: ["**/node_modules"],
}).filter((file) => file.includes(flags.file));
mkdirSync(home, { recursive: true });
const ran: Ran[] = existsSync(ledger)
  ? readFileSync(ledger, "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  : [];
const runsOf = (file: string): readonly Ran[] => ran.filter((one) => one.file === file);
const wanted = new Map(
  files.map((file) => [file, touchy.test(readFileSync(file, "utf8")) ? touchyTimesWanted : timesWanted]),
);
const missing = (file: string): number => (wanted.get(file) ?? 0) - runsOf(file).length;

const burners = Array.from({ length: availableParallelism() }, burn);
try {
  const endMs = performance.now() + Number(flags.minutes) * 60_000;
  while (performance.now() < endMs) {
    const next = files.filter((file) => missing(file) > 0).toSorted((a, b) => missing(b) - missing(a))[0];
    if (next === undefined) break;
    await runOnce(next);
  }
} finally {
  for (const burner of burners) burner.kill("SIGKILL");
}
report();

/** Ends with this process, however that ends: its input closes. */
function burn(): ChildProcess {
  const script =
    "process.stdin.on('end', () => process.exit()).resume(); const burn = () => { for (let end = performance.now() + 20; performance.now() < end; ); setImmediate(burn); }; burn();";
  return spawn(process.execPath, ["-e", script], { stdio: ["pipe", "ignore", "ignore"] });
}

async function runOnce(file: string): Promise<void> {
  const started = performance.now();
  const args = ["--test", "--test-reporter=./tools/reporter.ts", `--test-timeout=${fileMsMax}`, file];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const pipe of [child.stdout, child.stderr])
    pipe.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  const [code] = await once(child, "close");
  const one = { file, isWell: code === 0, seconds: Math.round((performance.now() - started) / 1_000) };
  ran.push(one);
  appendFileSync(ledger, `${JSON.stringify(one)}\n`);
  if (one.isWell) return;
  const log = `${home}/${file.replaceAll("/", "-")}-${runsOf(file).length}.log`;
  writeFileSync(log, output);
  console.log(`failed ${file} after ${one.seconds} s: ${log}`);
}

function report(): void {
  let failed = 0;
  for (const file of files) {
    const runs = runsOf(file);
    const failures = runs.filter(({ isWell }) => !isWell).length;
    failed += failures;
    if (failures > 0) console.log(`${file}: ${failures} of ${runs.length} runs failed`);
  }
  const left = files.reduce((total, file) => total + Math.max(0, missing(file)), 0);
  console.log(`load: ${ran.length} runs of ${files.length} files, ${failed} failed, ${left} runs left`);
  process.exitCode = failed > 0 ? 1 : 0;
}
