import assert from "node:assert/strict";
import { rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { socketPathBytesMax } from "@voda/envoy/bootstrap";
import { adminSocket } from "./admin-socket.ts";

test("the socket of a data folder is inside it", () => {
  assert.equal(adminSocket("/home/a/.voda"), join("/home/a/.voda", "envoy.sock"));
});

test("a data folder whose path is too long for a socket has one elsewhere, always the same, for its owner alone", () => {
  const long = `/home/${"ä".repeat(socketPathBytesMax / 2)}/.voda`;
  const path = adminSocket(long);
  try {
    assert.ok(Buffer.byteLength(path) <= socketPathBytesMax);
    assert.equal(adminSocket(long), path);
    assert.notEqual(dirname(adminSocket(`${long}2`)), dirname(path));
    assert.equal(statSync(dirname(path)).mode & 0o777, 0o700);
  } finally {
    for (const one of [path, adminSocket(`${long}2`)]) rmSync(dirname(one), { recursive: true });
  }
});
