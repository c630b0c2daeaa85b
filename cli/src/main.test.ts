import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));

/** What it complains of. */
const said = async ({ stderr }: ChildProcess): Promise<string> => (stderr === null ? "" : text(stderr));

test("who reads the output may have enough: that is no error", async () => {
  const child = spawn(process.execPath, [main, "--help"], { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  assert.deepEqual(await Promise.all([said(child), once(child, "close")]), ["", [0, null]]);
});

test("a full disk under the output costs the words, and the exit code tells it", async () => {
  const full = openSync("/dev/full", "w");
  const child = spawn(process.execPath, [main, "--help"], { stdio: ["ignore", full, "pipe"] });
  assert.deepEqual(await Promise.all([said(child), once(child, "close")]), ["", [1, null]]);
});
