import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fitsSockets, socketPathBytesMax } from "@voda/proto/edge-folder";
import { edgeFolder } from "./edge-folder.ts";

test("the edge folder of a data folder is inside it", () => {
  assert.equal(edgeFolder("/home/a/.voda"), join("/home/a/.voda", "edge"));
});

test("a data folder whose path is too long for sockets has its edge folder elsewhere, always the same", () => {
  const long = `/home/${"ä".repeat(socketPathBytesMax / 2)}/.voda`;
  const folder = edgeFolder(long);
  assert.equal(fitsSockets(folder), true);
  assert.equal(dirname(folder), tmpdir());
  assert.equal(edgeFolder(long), folder);
  assert.notEqual(edgeFolder(`${long}2`), folder);
});
