import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { makeFolder } from "./make-folder.ts";

const top = mkdtempSync(join(tmpdir(), "voda-make-folder-"));
after(() => rmSync(top, { recursive: true }));

test("a folder is made with those above it, each for whom it says, and one that is there stays as it is", () => {
  const path = join(top, "a", "b");
  makeFolder(path, 0o700);
  makeFolder(path, 0o755);
  for (const made of [path, join(top, "a")]) assert.equal(statSync(made).mode & 0o777, 0o700);
});

test("a folder that cannot be made is an error, and no endless try", () => {
  const file = join(top, "file");
  writeFileSync(file, "");
  for (const [path, code] of [
    [file, "EEXIST"],
    [join(file, "x"), "ENOTDIR"],
    ["/dev/null/x/y", "ENOTDIR"],
    [join(top, "n".repeat(300)), "ENAMETOOLONG"],
  ] as const)
    assert.throws(() => makeFolder(path, 0o700), { code });
  for (const path of ["/proc/voda/x", "/sys/voda/x"]) assert.throws(() => makeFolder(path, 0o700));
});
