import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/start.ts";
import { copyDocuments } from "./documents.ts";

test("what is packed to be followed tells nothing that holds in the repository only", () => {
  using folder = temporaryFolder();
  copyDocuments(folder.path);
  const followed = globSync(["README.md", "{docs,examples,controlplane,compute}/**/*.md"], {
    cwd: folder.path,
  })
    // how voda is made, for those who have its source
    .filter((path) => !/^docs\/(ARCHITECTURE\.md|internals\/|decisions\/)/.test(path));
  assert.ok(followed.includes("docs/clients.md") && followed.includes("examples/cart/README.md"));
  const told = followed.flatMap((path) => {
    const text = readFileSync(join(folder.path, path), "utf8");
    return [...text.matchAll(/`npm (?:start|test|run)\b[^`]*`|node \w+\/(?:src|bench)\/|Contributing/g)].map(
      ([found]) => `${path}: ${found}`,
    );
  });
  assert.deepEqual(told, []);
  assert.match(readFileSync(join(folder.path, "README.md"), "utf8"), /\[Quotas\]\(docs\/quotas\.md\)\s*$/);
});

test("packages that a document's program needs beside voda are named where it is shown", () => {
  const program = readFileSync("examples/cart/clients/typescript/cart.ts", "utf8");
  const needed = [...program.matchAll(/from "(@connectrpc\/[\w-]+)"/g)].map(([, name]) => name);
  const [, named = ""] = /^npm i (.*)$/m.exec(readFileSync("docs/clients.md", "utf8")) ?? [];
  assert.deepEqual(named.split(" "), needed);
});

test("the README's tsconfig takes the pages' code, and says which package brings the types of Node", () => {
  const text = readFileSync("README.md", "utf8");
  const [, config = "{}"] = /`(\{ "compilerOptions": .*\})`/.exec(text) ?? [];
  assert.deepEqual((JSON.parse(config) as { compilerOptions: object }).compilerOptions, {
    module: "nodenext",
    strict: true,
    types: ["node"],
    noEmit: true,
    allowImportingTsExtensions: true,
  });
  assert.match(text, /`npm i -D @types\/node`/);
});
