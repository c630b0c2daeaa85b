import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const importStatement = /^(?:import|export) (?!type )[^;]*?from "([^"]+)";|^import "([^"]+)";/gm;

/** Everything of voda's own sources that runs when `entry` is imported, and the packages it names. */
function importsOf(entry: string, seen = new Set<string>()): Set<string> {
  if (seen.has(entry)) return seen;
  seen.add(entry);
  for (const [, from, alone] of readFileSync(new URL(entry), "utf8").matchAll(importStatement)) {
    const name = from ?? alone ?? "";
    if (name.startsWith(".")) importsOf(new URL(name, entry).href, seen);
    else if (name.startsWith("@voda/")) importsOf(import.meta.resolve(name), seen);
    else seen.add(name);
  }
  return seen;
}

test("voda/client runs in a browser: nothing it imports is of Node", () => {
  const imports = importsOf(import.meta.resolve("voda/client"));
  const packages = [...imports].filter((name) => !name.startsWith("file:"));
  assert.ok([...imports].some((name) => name.endsWith("/proto/src/name.ts")));
  assert.deepEqual(packages, ["@bufbuild/protobuf/wire"]);
});
