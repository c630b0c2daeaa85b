import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { isLocked, tryLock } from "./lock.ts";

const folder = mkdtempSync(join(tmpdir(), "voda-lock-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const fresh = (): string => join(folder, `lock-${(files += 1)}`);

/** Another process that holds the file until it is killed. `prefix`: what it is started through. */
async function holder(file: string, prefix: readonly string[] = []) {
  const lock = new URL("./lock.ts", import.meta.url).href;
  const code = `const { tryLock } = await import(${JSON.stringify(lock)});
globalThis.held = tryLock(${JSON.stringify(file)});
console.log(held === undefined ? "refused" : "held");
setInterval(() => undefined, 1000);`;
  const [command, ...args] = [...prefix, process.execPath, "--input-type=module", "-e", code];
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  return {
    said: said.toString().trim(),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

test("a lock is held until it is disposed, and its file is for its owner only", () => {
  const file = fresh();
  {
    using held = tryLock(file);
    assert.ok(held !== undefined);
    assert.deepEqual([isLocked(file), tryLock(file)], [true, undefined]);
    assert.equal(statSync(file).mode & 0o777, 0o600);
  }
  assert.equal(isLocked(file), false);
  using again = tryLock(file);
  assert.ok(again !== undefined);
});

test("a file that a crash left empty is no lock", () => {
  const file = fresh();
  writeFileSync(file, "");
  assert.equal(isLocked(file), false);
  using held = tryLock(file);
  assert.ok(held !== undefined);
});

test("the lock of a process that is killed is free at once", async () => {
  const file = fresh();
  {
    await using other = await holder(file);
    assert.equal(other.said, "held");
    assert.deepEqual([isLocked(file), tryLock(file)], [true, undefined]);
  }
  using held = tryLock(file);
  assert.ok(held !== undefined);
});

test("a lock is seen by processes that cannot see each other's ids", async () => {
  const file = fresh();
  using held = tryLock(file);
  assert.ok(held !== undefined);
  // Where this user may not make namespaces, the other process at least has another id.
  const namespaces =
    process.getuid?.() === 0 && process.platform === "linux" ? ["unshare", "--pid", "--kill-child"] : [];
  await using other = await holder(file, namespaces);
  assert.equal(other.said, "refused");
});
