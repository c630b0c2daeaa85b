// House rules that no linter has; each says its fix. `npm run check` runs them over every file in git.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** What a file must not have; `broken` says how to mend it. */
interface Rule {
  readonly applies: (file: string) => boolean;
  readonly broken: (file: string, text: string) => string | undefined;
}

/** Where STYLE stops. */
const linesMax = 600;
const isSource = (file: string): boolean => file.endsWith(".ts") && !file.includes("/gen/");
const isTest = (file: string): boolean => file.endsWith(".test.ts");
const line = (text: string, at: number): number => text.slice(0, at).split("\n").length;

/** A rule that holds when the pattern is nowhere. */
function forbid(pattern: RegExp, applies: (file: string) => boolean, fix: string): Rule {
  return {
    applies,
    broken: (_, text) => {
      const found = pattern.exec(text);
      return found === null ? undefined : `line ${line(text, found.index)}: ${fix}`;
    },
  };
}

/** It names what it forbids. */
const notThisFile = (file: string): boolean => !file.startsWith("tools/tidy");
const rules: readonly Rule[] = [
  forbid(
    /\b(TODO|FIXME|XXX)\b/,
    (file) => isSource(file) && notThisFile(file),
    "finish it, or say in the README that it is left out",
  ),
  // An error that is silenced hides the next one of the same line.
  forbid(/@ts-(ignore|nocheck)/, (file) => isSource(file) && notThisFile(file), "mend the type"),
  // It makes any type of any other: then the checker holds nothing.
  forbid(/\bas unknown as\b/, (file) => isSource(file) && notThisFile(file), "find the type that is missing"),
  // A test that does not run is believed to pass.
  forbid(/\b(test|describe|it)\.(skip|only|todo)\(|\{ *skip:/, isTest, "a test runs or is deleted"),
  // fast-check's own bound is 10: what may be longer never is.
  forbid(
    /\{(?![^{}]*\bsize:)(?!\s*minLength: (\d+), maxLength: \1\b)[^{}]*\bmaxLength: (1[1-9]|[2-9]\d|\d{3,})/,
    isSource,
    'add size: "max", or fast-check makes no more than 10 of them',
  ),
  // What is waited for by time fails on a machine that is slow, and is slow on one that is fast.
  forbid(/await (sleep|delay|setTimeout)\(/, isTest, "wait for a condition with a deadline, not for time"),
  forbid(
    /await new Promise(<[^>]*>)?\(\(?\w*\)? *=> *(void )?setTimeout\(/,
    isTest,
    "wait for a condition with a deadline, not for time",
  ),
  forbid(
    /\.catch\(\(\) *=> *(\{\s*\}|undefined|null)\)|catch *(\([^)]*\))? *\{\s*\}/,
    isSource,
    "handle the error or let it pass",
  ),
  forbid(
    /\bkill\([^)]*\?\? 0/,
    isSource,
    "0 is every process of one's own group: say what happens when there is none",
  ),
  forbid(/\benum [A-Z]/, isSource, "use a union of strings: type stripping has no enum"),
  {
    applies: (file) => /(^|\/)(utils?|helpers?|common|misc)\.ts$/.test(file),
    broken: () => "name the file by its noun or verb",
  },
  {
    applies: isSource,
    broken: (_, text) => {
      const lines = text.split("\n").length;
      return lines > linesMax ? `${lines} lines exceed ${linesMax}: is it one noun or one verb?` : undefined;
    },
  },
  { applies: (file) => isSource(file) && !file.includes("testdata"), broken: namedTwice },
  {
    applies: isTest,
    broken: (_, text) => (/\btest\(/.test(text) ? undefined : "a test file without test(...)"),
  },
  {
    applies: (file) => /^[a-z]+\/package\.json$/.test(file) && !file.startsWith("examples/"),
    broken: (file) =>
      files.includes(file.replace("package.json", "README.md")) ? undefined : "the room needs a README.md",
  },
];

/** Names of exported types by workspace: one name is one thing there, wherever it stands. */
const typeNames = new Map<string, string>();
const exportedType = /^export (?:declare |abstract )*(?:type|interface|class) (\w+)/gm;
/** Under another name than its own. */
const exportedAs = /(?<=^export type \{[^}]*|^export \{[^}]*\btype )\b\w+ as (\w+)/gm;
/** Where a type of that name stands already; notes those of the file. */
function namedTwice(file: string, text: string): string | undefined {
  const [workspace] = file.split("/");
  const names = new Set(
    [...text.matchAll(exportedType), ...text.matchAll(exportedAs)].map(([, name]) => name ?? ""),
  );
  for (const name of names) {
    const at = typeNames.get(`${workspace} ${name}`);
    if (at !== undefined) return `${name} stands in ${at} too: share it, or give one of them its own name`;
    typeNames.set(`${workspace} ${name}`, file);
  }
  return undefined;
}

/** What git knows: notes and outputs that lie about are nobody's fault. */
const files = execFileSync("git", ["ls-files"], { encoding: "utf8" })
  .split("\n")
  .filter((file) => file !== "");
let broken = 0;
for (const file of files) {
  for (const rule of rules.filter((one) => one.applies(file))) {
    const problem = rule.broken(file, readFileSync(file, "utf8"));
    if (problem === undefined) continue;
    console.error(`${file}: ${problem}`);
    broken += 1;
  }
}
console.log(`tidy: ${files.length} files, ${broken} broken rules`);
process.exitCode = broken > 0 ? 1 : 0;
