import assert from "node:assert/strict";
import { appendFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/start.ts";
import { LogReader, lineBytesMax } from "./log-reader.ts";

const rest = (reader: LogReader): string[] => {
  const lines: string[] = [];
  for (let line = reader.next(); line !== undefined; line = reader.next()) lines.push(line);
  return lines;
};

test("a log is read on from where it was read to: whole lines, each once, the file before first", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "n1.log");
  using reader = new LogReader(path);
  assert.deepEqual(rest(reader), [], "before its child has written");
  writeFileSync(`${path}.1`, "a\n");
  writeFileSync(path, "b\nhal");
  assert.deepEqual(rest(reader), ["a", "b"]);
  appendFileSync(path, "f\n\nµ\n");
  assert.deepEqual([rest(reader), rest(reader)], [["half", "", "µ"], []]);
  writeFileSync(path, "x\n");
  assert.deepEqual(rest(reader), ["x"], "emptied by hand");
});

test("a change of files loses no line and repeats none, also when two have become full", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "n1.log");
  const change = (first: string): void => {
    renameSync(path, `${path}.1`);
    writeFileSync(path, first);
  };
  writeFileSync(path, "a\n");
  using reader = new LogReader(path);
  assert.deepEqual(rest(reader), ["a"]);
  appendFileSync(path, "last\ncut");
  change("new\n");
  assert.deepEqual(rest(reader), ["last", "cut", "new"]);
  change("second\n");
  change("third\n");
  assert.deepEqual([rest(reader), rest(reader)], [["second", "third"], []]);
});

test("what has no end is cut into lines, and lines over the border of a chunk are whole", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "n1.log");
  const lines = ["x".repeat(65_530), "é".repeat(40_000), "y"];
  writeFileSync(path, `${lines.join("\n")}\n${"z".repeat(lineBytesMax + 5)}\n`);
  using reader = new LogReader(path);
  const read = rest(reader);
  assert.deepEqual(read.slice(0, 3), lines);
  assert.deepEqual(
    read.slice(3).map(({ length }) => length),
    [lineBytesMax, 5],
  );
});
