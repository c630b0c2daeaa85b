// The code of the documentation: it compiles, its lines run as they stand (but for the port), and print what
// their comments say.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { isDeepStrictEqual, promisify } from "node:util";
import { programs, type RunningMesh, startMesh, waitUntil } from "../kit/index.ts";
import { callsOf, documents, type Line, root, typescriptFiles } from "./documents.ts";

const run = promisify(execFile);
const bin = (name: string): string => join(root, "node_modules/.bin", name);
let folder: string;

before(() => {
  // Within the workspace: `import "voda"` finds the package from there.
  mkdirSync(join(root, ".voda"), { recursive: true });
  folder = mkdtempSync(join(root, ".voda/docs-"));
  for (const { path, block } of typescriptFiles()) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), block.text);
  }
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Lines that read what a message has brought: it comes after the answer to who sent it. */
const readsMessages = /agents\/(diary\/ann\/results|board\/ann\/sentences)/;

/** Runs a line of a document against a mesh on another port. That npx finds the command the README's show. */
async function runLine(mesh: RunningMesh, { document, command, prints }: Line): Promise<void> {
  const voda = document === "README.md" ? "npx voda" : `"${process.execPath}" "${programs().cli}"`;
  const line = command
    .replaceAll("localhost:4000", new URL(mesh.url).host)
    .replace(/^npx voda\b/, () => voda);
  const options = { cwd: root, env: { ...process.env, VODA_URL: mesh.url } };
  const what = `${document}: ${command}`;
  let { stdout } = await run("sh", ["-c", line], options);
  if (readsMessages.test(command))
    await waitUntil(async () => {
      if (isDeepStrictEqual(JSON.parse(stdout), prints)) return true;
      ({ stdout } = await run("sh", ["-c", line], options));
      return false;
    }, what);
  assert.notEqual(stdout, "", what);
  if (prints !== undefined) assert.deepEqual(JSON.parse(stdout), prints, what);
}

const startReadme = (dataDir: string): Promise<RunningMesh> =>
  startMesh({
    command: [programs().cli, "dev", "--config", join(folder, "voda.config.ts")],
    nodes: 1,
    dataDir,
  });

test("the TypeScript of the documentation compiles under the strict settings of this repository", async () => {
  const paths = typescriptFiles().map(({ path }) => path);
  assert.deepEqual(
    ["client.ts", "counter.ts", "voda.config.ts"].filter((path) => !paths.includes(path)),
    [],
  );
  const config = join(folder, "tsconfig.json");
  writeFileSync(config, JSON.stringify({ extends: "../../tsconfig.json", include: [], files: paths }));
  await run(bin("tsc"), ["-p", config]).catch((error: { stdout: string }) => assert.fail(error.stdout));
});

test("the README's lines print what they say, also after the processes were killed", async () => {
  const dataDir = join(folder, "data");
  const lines = callsOf("README.md");
  const first = await startReadme(dataDir);
  try {
    for (const line of lines) await runLine(first, line);
  } finally {
    await first.close("SIGKILL");
  }
  const last = lines.at(-1);
  assert.match(last?.command ?? "", /^npx voda call/);
  await using second = await startReadme(dataDir);
  if (last !== undefined) await runLine(second, last);
  for (const { path, block } of typescriptFiles()) {
    if (!block.text.includes("voda/client")) continue;
    const file = join(folder, dirname(path), `run-${path.split("/").at(-1)}`);
    writeFileSync(file, block.text.replaceAll("http://localhost:4000", second.url));
    const { stdout } = await run(process.execPath, [file]);
    const said = [...block.text.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text);
    assert.deepEqual(stdout.trimEnd().split("\n"), said, `${block.document}:\n${block.text}`);
  }
});

test("the lines of the other documents run against the mesh with the examples", async () => {
  const lines = documents()
    .filter((document) => document !== "README.md")
    .flatMap(callsOf);
  assert.equal(lines.length >= 15, true, `${lines.length} lines`);
  await using mesh = await startMesh({ nodes: 1 });
  for (const line of lines) await runLine(mesh, line);
});
