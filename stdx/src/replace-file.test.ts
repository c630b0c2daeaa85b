import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { removeFile } from "./own-file.ts";
import { replaceFile, replaceFileAside, sweepParts } from "./replace-file.ts";

const top = mkdtempSync(join(tmpdir(), "voda-replace-file-"));
after(() => rmSync(top, { recursive: true }));
let folders = 0;
function freshFolder(): string {
  const folder = join(top, String((folders += 1)));
  mkdirSync(folder);
  return folder;
}

test("a file has its new content, for its owner only, and nothing else is left in the folder", () => {
  const folder = freshFolder();
  const path = join(folder, "ready.json");
  writeFileSync(path, "old", { mode: 0o644 });
  replaceFile(path, "new");
  assert.deepEqual([readFileSync(path, "utf8"), statSync(path).mode & 0o777], ["new", 0o600]);
  replaceFile(path, Uint8Array.of(1, 2), { isSynced: true });
  assert.deepEqual([...readFileSync(path)], [1, 2]);
  assert.deepEqual(readdirSync(folder), ["ready.json"]);
});

test("what is written aside by several at once is that of one of them, whole", async () => {
  const folder = freshFolder();
  const path = join(folder, "bundle.mjs");
  const contents = ["a", "b", "c"].map((letter) => letter.repeat(1_000_000));
  await Promise.all(contents.map((content) => replaceFileAside(path, content)));
  assert.ok(contents.includes(readFileSync(path, "utf8")));
  assert.deepEqual([readdirSync(folder), statSync(path).mode & 0o777], [["bundle.mjs"], 0o600]);
  mkdirSync(join(folder, "taken"));
  await assert.rejects(replaceFileAside(join(folder, "taken"), "new"), { code: "EISDIR" });
  assert.deepEqual(readdirSync(folder), ["bundle.mjs", "taken"]);
});

test("what killed processes left beside their files is swept, and nothing else", () => {
  const folder = freshFolder();
  for (const name of ["incarnation", "incarnation.77.part", "k.json.77.3.part", "part", "my.part"])
    writeFileSync(join(folder, name), "");
  sweepParts(folder);
  assert.deepEqual(readdirSync(folder), ["incarnation", "my.part", "part"]);
});

test("what fails leaves what was there, and nothing beside it", () => {
  const folder = freshFolder();
  const path = join(folder, "taken");
  mkdirSync(path); // no file can be renamed over a folder
  assert.throws(() => replaceFile(path, "new"), { code: "EISDIR" });
  assert.deepEqual([readdirSync(folder), readdirSync(path)], [["taken"], []]);
  assert.throws(() => replaceFile(join(folder, "none", "file"), "new"), { code: "ENOENT" });
});

test("what is there and is no regular file is left as it is", () => {
  const folder = freshFolder();
  const [pipe, link, file] = [join(folder, "pipe"), join(folder, "link"), join(folder, "file")];
  spawnSync("mkfifo", [pipe]);
  writeFileSync(file, "another's");
  symlinkSync(file, link);
  for (const path of [pipe, link]) {
    const refusal = { message: `${path} is no regular file and is left as it is` };
    assert.throws(() => replaceFile(path, "new"), refusal);
    assert.throws(() => removeFile(path), refusal);
  }
  const kinds = [lstatSync(pipe).isFIFO(), lstatSync(link).isSymbolicLink(), readFileSync(file, "utf8")];
  assert.deepEqual(kinds, [true, true, "another's"]);
  assert.deepEqual(readdirSync(folder), ["file", "link", "pipe"]);
  removeFile(file);
  removeFile(file);
  assert.deepEqual(readdirSync(folder), ["link", "pipe"]);
});

test("a link that somebody put beside it, and what a killed process left there, are not written through", () => {
  const folder = freshFolder();
  const [path, other] = [join(folder, "file"), join(folder, "other")];
  writeFileSync(other, "another's");
  symlinkSync(other, `${path}.${process.pid}.part`);
  replaceFile(path, "new");
  assert.deepEqual([readFileSync(path, "utf8"), readFileSync(other, "utf8")], ["new", "another's"]);
  assert.deepEqual(readdirSync(folder), ["file", "other"]);
});
