// The tests in docs/testing.md and docs/workflows.md pass as they stand, and the table of the first has all that a test mesh has.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { testMesh } from "voda/testing";
import { counter } from "../../../examples/counter/counter.ts";
import { read, root, typescriptFiles } from "./documents.ts";

const page = "docs/testing.md";
let folder: string;
before(() => {
  // Within the workspace: `import "voda"` finds the package from there.
  mkdirSync(join(root, ".voda"), { recursive: true });
  folder = mkdtempSync(join(root, ".voda/docs-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("the tests of the pages pass", async () => {
  const pages = [page, "docs/workflows.md"];
  const files = typescriptFiles().filter(
    ({ path, block }) => pages.includes(block.document) || path === "counter.ts",
  );
  for (const { path, block } of files) writeFileSync(join(folder, path), block.text);
  const tests = files.map(({ path }) => path).filter((path) => path.endsWith(".test.ts"));
  assert.equal(tests.length, 4);
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--test", "--test-isolation=none", "--test-reporter=tap", ...tests],
    { cwd: folder, env },
  );
  assert.match(stdout, /^# pass 5$/m);
});

test("the table has every member of a test mesh", async () => {
  await using mesh = await testMesh({ agents: [counter] });
  const rows = [...read(page).matchAll(/^\| (`.*?) +\|/gm)].map(([, cell = ""]) => cell).join(" ");
  const said = [...rows.matchAll(/`(\w+)/g)].map(([, name = ""]) => name);
  assert.deepEqual(said.slice(1).toSorted(), Object.keys(mesh).toSorted());
});
