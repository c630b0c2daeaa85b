import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../up/testdata/start.ts";
import { copyDocuments } from "./documents.ts";

test("the packed README tells nothing that holds in the repository only", () => {
  using folder = temporaryFolder();
  copyDocuments(folder.path);
  const text = readFileSync(join(folder.path, "README.md"), "utf8");
  assert.doesNotMatch(text, /npm (start|test|run)|Contributing/);
  assert.match(text, /\[Quotas\]\(docs\/quotas\.md\)\s*$/);
});
