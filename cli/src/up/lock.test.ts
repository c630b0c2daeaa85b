import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { lock, lockHolder } from "./lock.ts";
import { commandOf } from "./processes.ts";
import { temporaryFolder } from "./testdata/start.ts";

test("a lock is held until it is disposed and leaves nothing behind", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "up.lock");
  {
    using _held = lock(path);
    assert.equal(lockHolder(path)?.pid, process.pid);
    assert.throws(() => lock(path), /in use by process \d+ .*--data-dir/);
    assert.deepEqual(readdirSync(folder.path), ["up.lock"]);
  }
  assert.deepEqual(readdirSync(folder.path), []);
});

test("a lock of a process that is gone is taken over", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "up.lock");
  writeFileSync(path, JSON.stringify({ pid: 4_194_304, command: "node up" }));
  using _held = lock(path);
  assert.deepEqual(readdirSync(folder.path), ["up.lock"]);
});

test("a lock whose process id now belongs to another program is taken over", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "up.lock");
  writeFileSync(path, JSON.stringify({ pid: process.pid, command: "node up" }));
  assert.equal(lockHolder(path), undefined);
  using _held = lock(path);
  assert.equal(lockHolder(path)?.command, commandOf(process.pid));
});
