import assert from "node:assert/strict";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/start.ts";
import { lock, lockHolder } from "./lock.ts";

test("a directory is held until the lock is disposed, and the refusal names the process and the flag", () => {
  using folder = temporaryFolder();
  {
    using _held = lock(folder.path);
    assert.equal(lockHolder(folder.path)?.who, `process ${process.pid}`);
    assert.throws(() => lock(folder.path), {
      message: `data directory ${folder.path} is in use by process ${process.pid}; stop it, or choose another with --data-dir`,
    });
  }
  assert.equal(lockHolder(folder.path), undefined);
  assert.deepEqual(readdirSync(folder.path), ["lock"]);
});

for (const [left, text] of [
  ["nothing", ""],
  ["half a note", '{"pid":4'],
  ["the note of a dead process", JSON.stringify({ pid: process.pid, host: hostname() })],
] as const) {
  test(`a crash that left ${left} blocks nobody`, () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "lock"), "");
    writeFileSync(join(folder.path, "supervisor.json"), text);
    assert.equal(lockHolder(folder.path), undefined);
    using _held = lock(folder.path);
    assert.equal(lockHolder(folder.path)?.who, `process ${process.pid}`);
  });
}

test("where the mesh is can be read as long as it runs", () => {
  using folder = temporaryFolder();
  {
    using held = lock(folder.path);
    assert.equal(lockHolder(folder.path)?.ingress, undefined);
    held.serves("http://127.0.0.1:4711");
    assert.equal(lockHolder(folder.path)?.ingress, "http://127.0.0.1:4711");
  }
  assert.equal(lockHolder(folder.path), undefined);
});

test("a holder of another host is named with it, and one that left no note is still a holder", () => {
  using folder = temporaryFolder();
  using _held = lock(folder.path);
  const note = join(folder.path, "supervisor.json");
  writeFileSync(note, JSON.stringify({ pid: 7, host: "elsewhere" }));
  assert.equal(lockHolder(folder.path)?.who, "process 7 of host elsewhere");
  rmSync(note);
  assert.equal(lockHolder(folder.path)?.who, "another process");
});
