import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { test } from "node:test";

const folder = import.meta.dirname;
const read = (file: string): string => readFileSync(`${folder}/${file}`, "utf8");
const [, fields = ""] = /export interface Activation \{([^}]*)\}/.exec(read("lane.ts")) ?? [];
const slices = Array.from(fields.matchAll(/readonly (\w+): [A-Z]/g), ([, name = ""]) => name);
const files = readdirSync(folder).filter((file) => file.endsWith(".ts") && !file.includes(".test."));

const writes = " [-+?|&*]*= |\\+\\+|--";
const changes = "\\.(?:push|pop|shift|unshift|splice|sort|set|add|delete|clear)\\(";

/** A field of a slice is set, or what lies in it is changed, by the name of the slice. */
const writing = new RegExp(`\\b(${slices.join("|")})(?:\\.\\w+)+(?:${writes}|${changes})`, "g");

/** Fields that the file declares; those of them that may be set, and tables that are changed. */
interface Declared {
  readonly all: ReadonlySet<string>;
  readonly set: ReadonlySet<string>;
  readonly changed: ReadonlySet<string>;
}

function declaredIn(text: string): Declared {
  const bodies = Array.from(text.matchAll(/interface \w+[^{]*\{\n([\s\S]*?)\n\}/g), ([, body = ""]) => body);
  const names = (line: RegExp): ReadonlySet<string> =>
    new Set(bodies.flatMap((body) => Array.from(body.matchAll(line), ([, name = ""]) => name)));
  return {
    all: names(/^ {2}(?:readonly )?(\w+)\??: /gm),
    set: names(/^ {2}(\w+)\??: /gm),
    changed: names(/^ {2}(?:readonly )?(\w+)\??: (?:\w*Map<|\w*Set<|(?!readonly)[^;]*\[\];)/gm),
  };
}

const declared = new Map(files.map((file) => [basename(file, ".ts"), declaredIn(read(file))]));
/** Also a field of what is no slice: whose it is in a line, only the types say. */
const isShared = (name: string): boolean =>
  [...declared].some(([file, { set }]) => !slices.includes(file) && set.has(name));

/** The slice is written in the text by whatever name it has there: destructured, or an item of a table. */
function isWritten(slice: string, file: string, text: string): boolean {
  const of = declared.get(slice);
  const isOwn = (name: string): boolean => declared.get(file)?.all.has(name) === true;
  const isSet = [...(of?.set ?? [])].some(
    (name) => !isOwn(name) && !isShared(name) && new RegExp(`\\.${name}(?:${writes})`).test(text),
  );
  const isChanged = [...(of?.changed ?? [])].some((name) => {
    const isMade = new RegExp(`(?:const|let) ${name}\\b|\\b${name}: Map`).test(text);
    return !isOwn(name) && !isMade && new RegExp(`\\b${name}${changes}`).test(text);
  });
  return isSet || isChanged;
}

/** Slices that the file writes, and that are not its own. */
function strangersIn(file: string, text: string): string[] {
  const name = basename(file, ".ts");
  const named = Array.from(text.matchAll(writing), ([, slice = ""]) => slice);
  const hidden = slices.filter((slice) => isWritten(slice, name, text));
  return [...new Set([...named, ...hidden])].filter((slice) => slice !== name);
}

test("each slice is written by the file of its name alone", () => {
  assert.ok(slices.length > 10, slices.join());
  const found = files.flatMap((file) =>
    strangersIn(file, read(file)).map((slice) => `${file} writes ${slice}`),
  );
  assert.deepEqual(found, []);
});

test("a write of another slice is found by whatever name that has", () => {
  const strangers: readonly [string, string][] = [
    ["orders", "orders.isBellFresh = true;"],
    ["tip", "tip.n += 1;"],
    ["turns", "if (orders.waiting === none) a.turns.jobs.set(1, 2)"],
    ["suspects", "const { marks } = suspects; marks.set(key, mark);"],
    ["outbox", "const target = nextTarget(outbox); target.attempts += 1;"],
    ["fold", "last.covers = undefined; f.retiredBytes = 0;"],
    ["journals", "({ writing }: Journals) => writing.delete(step)"],
  ];
  for (const [slice, text] of strangers) assert.ok(strangersIn("control.ts", text).includes(slice), text);
  assert.deepEqual(strangersIn("suspects.ts", "marks.set(key, mark); active.delete(key)"), []);
  assert.deepEqual(strangersIn("control.ts", "const marks = new Map(); marks.set(1, 2)"), []);
});
