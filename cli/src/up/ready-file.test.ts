import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/start.ts";
import { clearReadyFile } from "./ready-file.ts";

test("what a supervisor that was killed has left goes", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "ready.json");
  writeFileSync(path, "{}");
  clearReadyFile(path);
  assert.equal(existsSync(path), false);
});

test("what is no file, as /dev/null, is refused and stays", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "pipe");
  spawnSync("mkfifo", [path]);
  assert.throws(
    () => clearReadyFile(path),
    /^CliError: --ready-file \S+pipe cannot be written: \S+pipe is no regular file/,
  );
  assert.equal(lstatSync(path).isFIFO(), true);
});
