import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/start.ts";
import { KeptFiles } from "./kept-files.ts";

test("a file that cannot be written is told once, and written with its newest content once it can be", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  using folder = temporaryFolder();
  const said: string[] = [];
  using files = new KeptFiles((line) => said.push(line));
  const path = join(folder.path, "later", "ready.json");
  files.replace(path, "1");
  files.replace(path, "2");
  t.mock.timers.tick(5_000);
  assert.equal(said.length, 1);
  assert.match(said[0] ?? "", /ready\.json cannot be written and is tried again: ENOENT/);
  mkdirSync(join(folder.path, "later"));
  t.mock.timers.tick(1_000);
  assert.deepEqual(readdirSync(join(folder.path, "later")), ["ready.json"]);
  assert.equal(readFileSync(path, "utf8"), "2");
});
