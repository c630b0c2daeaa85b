import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fitsSockets, openEdgeFolder, socketPathBytesMax } from "./edge-folder.ts";

const root = mkdtempSync(join(tmpdir(), "voda-edge-"));
after(() => rmSync(root, { recursive: true }));

test("an edge folder is made for its owner alone, and taken again", () => {
  const folder = join(root, "a", "edge");
  const paths = openEdgeFolder(folder);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.deepEqual(openEdgeFolder(folder), paths);
  assert.equal(paths.xds, join(folder, "xds.sock"));
});

test("a folder that others may enter, or that is a link, is refused", () => {
  const open = mkdtempSync(join(root, "open-"));
  chmodSync(open, 0o750);
  assert.throws(() => openEdgeFolder(open), /is open to others \(mode 750\); `chmod 700` it/);
  const link = join(root, "link");
  symlinkSync(open, link);
  assert.throws(() => openEdgeFolder(link), /is not a folder of this user's/);
});

test("a path that leaves no room for its sockets is refused with the limit", () => {
  const long = join(root, "ä".repeat(socketPathBytesMax / 2));
  assert.equal(fitsSockets(long), false);
  assert.throws(() => openEdgeFolder(long), /at most 103 bytes; name a shorter one/);
});
