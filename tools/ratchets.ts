// npm run ratchets [-- --tighten]: what is measured per room may only get better. `npm run check` fails where
// a room got worse than ratchets.json says; `--tighten` writes down what was reached, and refuses to write
// anything worse.
import { globSync, readFileSync, writeFileSync } from "node:fs";
import {
  functionLinesMax,
  type Measures,
  measure,
  parametersMax,
  type Spot,
  typedArraysOf,
  widthMax,
} from "./measures.ts";
import { parse } from "./syntax.ts";

/** One measure of a room, and which way it may go. */
interface Ratchet {
  readonly says: string;
  /** Whether smaller is better. */
  readonly falls: boolean;
  /** Where it ends: nobody has to be better than this. */
  readonly goal: (room: string) => number;
  readonly value: (files: readonly Measures[]) => number;
  /** What to mend first. */
  readonly worst: (files: readonly Measures[]) => readonly Spot[];
}

type Values = Record<string, Record<string, number>>;

const list = "tools/ratchets.json";
/** Spots that are named beside a value. */
const shown = 3;
const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
const counted = (spots: (file: Measures) => readonly Spot[]): Omit<Ratchet, "says"> => ({
  falls: true,
  goal: () => 0,
  value: (files) => sum(files.map((file) => spots(file).length)),
  worst: (files) => files.flatMap(spots),
});
/** Over a whole room: a file may have few reasons where the one beside it has many. */
const commented = (files: readonly Measures[]): number => {
  const code = sum(files.map(({ codeLines }) => codeLines));
  return code === 0 ? 100 : Math.floor((100 * sum(files.map(({ commentLines }) => commentLines))) / code);
};

const ratchets: Readonly<Record<string, Ratchet>> = {
  longFunctions: {
    says: `functions over ${functionLinesMax} lines`,
    ...counted(({ longFunctions }) => longFunctions),
  },
  manyParameters: {
    says: `functions of more than ${parametersMax} parameters`,
    ...counted(({ manyParameters }) => manyParameters),
  },
  wideLines: { says: `lines wider than ${widthMax}`, ...counted(({ wideLines }) => wideLines) },
  asNumber: {
    says: "`as number` (a typed array is read by an index, nothing else)",
    ...counted(({ asNumber }) => asNumber),
  },
  docs: {
    says: "% of exports with a doc comment",
    falls: false,
    goal: (room) => (room === "sdk" ? 100 : 80),
    value: (files) => {
      const all = sum(files.map(({ exported }) => exported));
      const bare = sum(files.map(({ undocumented }) => undocumented.length));
      return all === 0 ? 100 : Math.floor((100 * (all - bare)) / all);
    },
    worst: (files) => files.map(({ file, undocumented }) => ({ where: file, size: undocumented.length })),
  },
  comments: {
    says: "lines of comment per 100 of code, where a file holds decisions",
    falls: false,
    goal: () => 20,
    value: commented,
    // The one whose missing comments weigh most.
    worst: (files) =>
      files.map(({ file, codeLines, commentLines }) => ({
        where: file,
        size: Math.ceil(codeLines / 5) - commentLines,
      })),
  },
};

const generatedOrForeign = ["node_modules/**", "**/gen/**", "**/node_modules/**", "**/dist/**"];
const sources = globSync("*/**/*.ts", { exclude: generatedOrForeign }).map(parse);
const typedArrays = typedArraysOf(sources.map(({ text }) => text));
const measured = sources.map((source) => measure(source, typedArrays));
const isTest = (file: string): boolean => /\.test\.ts$|^[a-z]+\/test\/|^(test|examples)\//.test(file);
/** They bind tests too; what owes docs and reasons is the product. */
const ofTestsToo: ReadonlySet<string> = new Set(["longFunctions", "manyParameters", "wideLines"]);
const isTightening = process.argv.includes("--tighten");
const before: Values = JSON.parse(readFileSync(list, "utf8"));
const after: Values = {};
let worse = 0;

for (const [name, ratchet] of Object.entries(ratchets)) {
  after[name] = {};
  for (const [room, files] of Object.entries(byRoom(name))) judge(name, ratchet, room, files);
}
if (isTightening && worse === 0) writeFileSync(list, `${JSON.stringify(after, null, 2)}\n`);
process.exitCode = worse > 0 ? 1 : 0;

function byRoom(name: string): Readonly<Record<string, readonly Measures[]>> {
  const rooms: Record<string, Measures[]> = {};
  for (const file of measured)
    if (ofTestsToo.has(name) || !isTest(file.file)) (rooms[file.file.split("/")[0] ?? ""] ??= []).push(file);
  return rooms;
}

function judge(name: string, ratchet: Ratchet, room: string, files: readonly Measures[]): void {
  const { falls, says } = ratchet;
  const goal = ratchet.goal(room);
  const value = ratchet.value(files);
  const bound = before[name]?.[room] ?? goal;
  const isWorse = falls ? value > bound : value < bound;
  // Beyond the goal nothing is kept: it may be spent where it is needed.
  const kept = falls ? Math.max(value, goal) : Math.min(value, goal);
  (after[name] ??= {})[room] = kept;
  if (isWorse) worse += 1;
  else if (kept === goal) return;
  const worst = ratchet
    .worst(files)
    .filter(({ size }) => size > 0)
    .toSorted((a, b) => b.size - a.size)
    .slice(0, shown)
    .map(({ where, size }) => `${where} (${size})`);
  const line = `${room}: ${value} ${says}; the bound is ${bound}, the goal ${goal}; worst: ${worst.join(", ")}`;
  if (isWorse) console.error(`WORSE ${line}`);
  else if (isTightening || process.argv.includes("--all")) console.log(line);
}
