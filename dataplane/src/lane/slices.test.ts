import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { test } from "node:test";

const folder = import.meta.dirname;
const read = (file: string): string => readFileSync(`${folder}/${file}`, "utf8");
const [, fields = ""] = /export interface Activation \{([^}]*)\}/.exec(read("lane.ts")) ?? [];
const slices = Array.from(fields.matchAll(/readonly (\w+): [A-Z]/g), ([, name]) => name);

/** A field of a slice is set, or what lies in it is changed. */
const writing = new RegExp(
  `\\b(${slices.join("|")})(?:\\.\\w+)+(?: [-+?|&]*= |\\+\\+|--|\\.(?:push|pop|shift|unshift|splice|sort|set|add|delete|clear)\\()`,
  "g",
);

/** Slices that the file writes, and that are not its own. */
function strangersIn(file: string, text: string): string[] {
  const written = Array.from(text.matchAll(writing), ([, slice = ""]) => slice);
  return written.filter((slice) => slice !== basename(file, ".ts"));
}

test("each slice is written by the file of its name alone", () => {
  assert.ok(slices.length > 10, slices.join());
  assert.deepEqual(strangersIn("control.ts", "orders.isBellFresh = true;\n tip.n += 1;"), ["orders", "tip"]);
  assert.deepEqual(strangersIn("tip.ts", "tip.n += 1; if (orders.waiting === none) a.turns.jobs.set(1, 2)"), [
    "turns",
  ]);
  const files = readdirSync(folder).filter((file) => file.endsWith(".ts") && !file.includes(".test."));
  const found = files.flatMap((file) =>
    strangersIn(file, read(file)).map((slice) => `${file} writes ${slice}`),
  );
  assert.deepEqual(found, []);
});
