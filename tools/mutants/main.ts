// npm run test:mutants [-- --target NAME] [--file PART] [--seed 1] [--count 300] [--shard 1/1] [--jobs 2]
// [--again]: breaks the product in one small place at a time and runs the tests of the room that holds it. A
// break that all of them pass is a survivor: a test is missing, or the break changes nothing, and then
// survivors.json says why. What ran before is not run again while its file is the same; `--again` runs the
// survivors once more, after a test was added.
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { parseSync } from "rolldown/utils";
import { prng } from "../../stdx/src/index.ts";
import { wholeNumber } from "../flags.ts";
import { home, type Outcome, patchOf, runTests } from "./process.ts";
import { type Calm, measureCalm } from "./reach.ts";
import { type Mutant, mutantsOf } from "./sites.ts";
import { type Target, targets } from "./targets.ts";

/** A survivor that no test can notice, and why. */
interface Accepted {
  readonly file: string;
  /** The line of source, trimmed: lines move. */
  readonly code: string;
  readonly change: string;
  readonly reason: string;
}

interface Run {
  readonly mutant: Mutant;
  readonly target: Target;
  readonly key: string;
}

const ledger = `${home}/ran.jsonl`;
const acceptedFile = "test/src/mutants/survivors.json";
/** Tests that take longer than this alone wait until the others have passed. */
const quickMs = 2_000;
/** A break that makes a loop endless is noticed by the clock alone. */
const limitMs = (calmMs: number): number => 3 * calmMs + 10_000;

const { values: flags } = parseArgs({
  options: {
    target: { type: "string" },
    file: { type: "string", default: "" },
    seed: { type: "string", default: "1" },
    count: { type: "string", default: "300" },
    shard: { type: "string", default: "1/1" },
    jobs: { type: "string", default: String(availableParallelism()) },
    again: { type: "boolean", default: false },
  },
});

const jobs = wholeNumber("jobs", flags.jobs);
const seed = wholeNumber("seed", flags.seed);
const count = wholeNumber("count", flags.count);

const texts = new Map<string, string>();
const textOf = (file: string): string => {
  const text = texts.get(file) ?? readFileSync(file, "utf8");
  texts.set(file, text);
  return text;
};
const linesOf = (file: string): readonly string[] =>
  textOf(file)
    .split("\n")
    .map((line) => line.trim());
const codeOf = ({ file, line }: Mutant): string => linesOf(file)[line - 1] ?? "";

mkdirSync(home, { recursive: true });
/** A key holds the whole source: after a change of it a mutant is judged anew. */
const known = readLedger();
const accepted: readonly Accepted[] = JSON.parse(readFileSync(acceptedFile, "utf8"));
const chosen = choose();
const todo = chosen.filter(({ key }) => {
  const outcome = known.get(key);
  return outcome === undefined || (flags.again && outcome === "survived");
});
if (chosen.length === 0) throw new Error("no mutant was chosen: nothing would be run");
console.log(`mutants: ${chosen.length} chosen, ${todo.length} to run`);
const calm = await measureTargets(new Set(todo.map(({ target }) => target)));
await Promise.all(Array.from({ length: jobs }, work));
report();

/** The same seed chooses the same mutants of the same sources; shards share them out. */
function choose(): readonly Run[] {
  const asked = targets.filter(({ name }) => flags.target === undefined || flags.target === name);
  if (asked.length === 0)
    throw new Error(`no target ${flags.target}; there are ${targets.map(({ name }) => name).join(", ")}`);
  const all = asked.flatMap((target) =>
    target.sources
      .filter((file) => file.includes(flags.file))
      .flatMap((file) => mutantsOf(file).map((mutant) => ({ mutant, target, key: keyOf(mutant) }))),
  );
  const random = prng(seed);
  const shuffled = all
    .map((run) => ({ run, rank: random.next() }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ run }) => run);
  const [shard = 0, shards = 0] = flags.shard.split("/").map((part) => wholeNumber("shard", part));
  if (shard > shards) throw new Error(`--shard ${flags.shard}: it is a part of a whole, as 1/2`);
  return shuffled
    .filter(({ mutant }) => parses(mutant))
    .slice(0, count)
    .filter((_, at) => at % shards === shard - 1);
}

function keyOf(mutant: Mutant): string {
  const hash = createHash("sha256").update(textOf(mutant.file));
  return hash.update(`${mutant.start} ${mutant.end} ${mutant.replace}`).digest("base64url").slice(0, 16);
}

/** Some breaks are no TypeScript: they would be killed by the parser, and count for the tests. */
function parses({ file, start, end, replace }: Mutant): boolean {
  const text = textOf(file);
  const broken = text.slice(0, start) + replace + text.slice(end);
  return parseSync(file, broken, { lang: "ts", sourceType: "module" }).errors.length === 0;
}

/** The tests of each target, the quickest first. */
async function measureTargets(asked: ReadonlySet<Target>): Promise<ReadonlyMap<Target, readonly Calm[]>> {
  const byTest = new Map<string, Calm>();
  const measured = new Map<Target, readonly Calm[]>();
  for (const target of asked) {
    const ofTarget: Calm[] = [];
    for (const test of target.tests) {
      const one = byTest.get(test) ?? (await measureCalm(test));
      byTest.set(test, one);
      ofTarget.push(one);
    }
    measured.set(
      target,
      ofTarget.toSorted((a, b) => a.ms - b.ms),
    );
  }
  return measured;
}

async function work(): Promise<void> {
  for (let run = todo.shift(); run !== undefined; run = todo.shift()) {
    const { outcome, by } = await judge(run);
    known.set(run.key, outcome);
    appendFileSync(ledger, `${JSON.stringify({ key: run.key, outcome, of: describe(run), by })}\n`);
    if (outcome === "survived") console.log(`survived ${describe(run)}`);
  }
}

/**
 * Most breaks are noticed by the quick tests; only what they let pass meets the others. `by` is for people.
 */
async function judge({ mutant, target }: Run): Promise<{ outcome: Outcome; by: string | undefined }> {
  // A test that does not load the file cannot notice.
  const loading = (calm.get(target) ?? []).filter((one) => one.loads.has(mutant.file));
  if (loading.length === 0) return { outcome: "survived", by: "no test loads it" };
  const patch = patchOf(mutant, textOf(mutant.file));
  for (const batch of [loading.filter(({ ms }) => ms < quickMs), loading.filter(({ ms }) => ms >= quickMs)]) {
    if (batch.length === 0) continue;
    const tests = batch.map(({ test }) => test);
    const timeoutMs = limitMs(batch.reduce((sum, { ms }) => sum + ms, 0));
    let { outcome, output } = await runTests({ tests, patch, timeoutMs });
    // On a machine that others use, slow tests look like endless ones.
    if (outcome === "timeout")
      ({ outcome, output } = await runTests({ tests, patch, timeoutMs: 2 * timeoutMs }));
    if (outcome !== "survived") return { outcome, by: output.split("\n").find((one) => one !== "") };
  }
  return { outcome: "survived", by: loading.map(({ test }) => test).join(" ") };
}

function describe({ mutant, target }: Run): string {
  return `${mutant.file}:${mutant.line}: ${mutant.change} (${target.name}) in: ${codeOf(mutant)}`;
}

function readLedger(): Map<string, Outcome> {
  if (!existsSync(ledger)) return new Map();
  const lines = readFileSync(ledger, "utf8").split("\n").slice(0, -1);
  return new Map(lines.map((line) => JSON.parse(line)).map(({ key, outcome }) => [key, outcome]));
}

function report(): void {
  const isAccepted = ({ mutant }: Run): boolean =>
    accepted.some(
      ({ file, code, change }) => file === mutant.file && code === codeOf(mutant) && change === mutant.change,
    );
  const survivors = chosen.filter(({ key }) => known.get(key) === "survived");
  const unjudged = chosen.filter(({ key }) => !known.has(key));
  const killed = chosen.length - survivors.length - unjudged.length;
  const unexplained = survivors.filter((run) => !isAccepted(run));
  // A list that claims too much hides the next survivor.
  const wrong = chosen.filter((run) => known.get(run.key) === "killed" && isAccepted(run));
  const stale = accepted.filter(({ file, code }) => !existsSync(file) || !linesOf(file).includes(code));
  for (const { file, code } of stale)
    console.log(`${acceptedFile} lists what is not there: ${file}: ${code}`);
  for (const run of unexplained) console.log(`unexplained ${describe(run)}`);
  for (const run of wrong) console.log(`${acceptedFile} lists what a test notices: ${describe(run)}`);
  console.log(
    `mutants: ${killed} killed, ${survivors.length} survived, ${unexplained.length} of them without a reason, ${unjudged.length} not run`,
  );
  process.exitCode = unexplained.length + wrong.length + stale.length + unjudged.length > 0 ? 1 : 0;
}
