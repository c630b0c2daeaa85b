import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/start.ts";
import { LogFile } from "./log-file.ts";

const mebibyte = 1024 ** 2;

test("a log is two files of at most ten mebibytes", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "n1.log");
  using log = new LogFile(path);
  for (let i = 0; i < 25; i += 1) log.write(`line ${i}`.padStart(mebibyte - 1));
  assert.deepEqual(readdirSync(folder.path), ["n1.log", "n1.log.1"]);
  for (const name of readdirSync(folder.path))
    assert.ok(statSync(join(folder.path, name)).size <= 10 * mebibyte, name);
  assert.ok(readFileSync(path, "utf8").endsWith("line 24\n"));
});

test("a log and its folder are for their owner alone, whatever the umask is", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "logs", "n1.log");
  const before = process.umask(0);
  try {
    using log = new LogFile(path);
    for (let i = 0; i < 11; i += 1) log.write(`line ${i}`.padStart(mebibyte - 1));
  } finally {
    process.umask(before);
  }
  const modeOf = (file: string) => (statSync(file).mode & 0o777).toString(8);
  assert.deepEqual([join(path, ".."), path, `${path}.1`].map(modeOf), ["700", "600", "600"]);
});

test("a log goes on where it ended, and remembers the newest lines", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "n1.log");
  {
    using log = new LogFile(path);
    log.write("before");
  }
  using log = new LogFile(path);
  for (let i = 0; i < 30; i += 1) log.write(`line ${i}`);
  assert.match(readFileSync(path, "utf8"), /^before\nline 0\n/);
  assert.deepEqual([log.tail.length, log.tail[0], log.tail.at(-1)], [20, "line 10", "line 29"]);
});

test("what a full disk does not take stays in memory", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "n1.log");
  symlinkSync("/dev/full", path);
  using log = new LogFile(path);
  for (let i = 0; i < 3; i += 1) log.write(`line ${i}`);
  assert.deepEqual(log.tail, ["line 0", "line 1", "line 2"]);
});

test("a log that cannot be rotated goes on once it can", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "logs", "n1.log");
  using log = new LogFile(path);
  log.write("before the folder goes".padStart(10 * mebibyte));
  rmSync(join(folder.path, "logs"), { recursive: true });
  log.write("lost");
  mkdirSync(join(folder.path, "logs"));
  log.write("after");
  assert.equal(readFileSync(path, "utf8"), "\nsupervisor: 1 lines before could not be written\nafter\n");
});
