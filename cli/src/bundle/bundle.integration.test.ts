// Configs as users write them, compiled by the real bundler and loaded by a real process.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { MethodMode } from "@voda/proto/api";
import { temporaryFolder } from "../../test/start.ts";
import { programs } from "../programs.ts";
import { type Bundle, bundleConfig } from "./bundle.ts";
import { readAgents } from "./definitions.ts";
import { deployRequest } from "./deploy-request.ts";

const counter = `import { agent, s } from "voda";
import { step } from "./step.ts";
export const counter = agent("counter", { count: s.counter() })
  .readonly({ get: (ctx) => ctx.state.count.value })
  .handlers({ add: (ctx, by: number) => ctx.state.count.add(by * step) });
`;
const config = `import { defineConfig } from "voda/config";
import { counter } from "./counter.ts";
export default defineConfig({ agents: [counter] });
`;
const sources = {
  "voda.config.ts": config,
  "counter.ts": counter,
  "step.ts": "export const step: number = 1;\n",
};

function write(folder: string, files: Readonly<Record<string, string>>): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return join(folder, "voda.config.ts");
}

const agentsOf = (bundle: Bundle, folder: string) =>
  readAgents(bundle, programs().describe, join(folder, ".voda/bundles"));

test("a config becomes one file that imports voda only, and its agents as plain data", async () => {
  using folder = temporaryFolder();
  const bundle = await bundleConfig(write(folder.path, sources));
  const imported = [...bundle.code.matchAll(/^import .* from "(.*)";$/gm)].map(([, name]) => name);
  assert.deepEqual(
    imported.toSorted((a = "", b = "") => a.localeCompare(b)),
    ["voda", "voda/config"],
  );
  const request = deployRequest(bundle, await agentsOf(bundle, folder.path));
  const [agent] = request.agents;
  assert.deepEqual([agent?.name, agent?.namespace, agent?.revision], ["counter", "default", bundle.revision]);
  assert.deepEqual(
    agent?.fields.map(({ name, kind }) => [name, kind]),
    [["count", "counter"]],
  );
  assert.deepEqual(
    agent?.methods.map(({ name, mode }) => [name, mode]),
    [
      ["get", MethodMode.READONLY],
      ["add", MethodMode.HANDLER],
    ],
  );
  assert.deepEqual([agent?.idleMs, agent?.resources?.memoryMib], [300_000, 0]);
});

/** A project with its own protobuf library, which must not get into the bundle. */
const withProtobuf = (version: string) => ({
  ...sources,
  "node_modules/@bufbuild/protobuf/package.json": JSON.stringify({
    name: "@bufbuild/protobuf",
    version,
    type: "module",
    exports: "./index.js",
  }),
  "node_modules/@bufbuild/protobuf/index.js": 'export const create = () => "the project\'s own";\n',
  "step.ts":
    'import { create } from "@bufbuild/protobuf";\nimport { EmptySchema } from "@bufbuild/protobuf/wkt";\n' +
    "export const step: number = create(EmptySchema).$typeName.length;\n",
});

test("agents run on voda's protobuf library, not on the project's", async () => {
  using folder = temporaryFolder();
  const bundle = await bundleConfig(write(folder.path, withProtobuf("2.5.0")));
  assert.doesNotMatch(bundle.code, /the project's own/);
  assert.equal((await agentsOf(bundle, folder.path))[0]?.name, "counter");
});

for (const version of ["2.999.0", "1.10.0", "3.0.0"]) {
  test(`a project with protobuf ${version} is told which versions do`, async () => {
    using folder = temporaryFolder();
    await assert.rejects(bundleConfig(write(folder.path, withProtobuf(version))), (error: Error) => {
      assert.match(
        error.message,
        new RegExp(`the project has @bufbuild/protobuf ${version}; .* 2\\.0 to 2\\.\\d+: npm install`),
      );
      return error.name === "CliError";
    });
  });
}

test("the revision depends on the sources and not on where they are", async () => {
  using here = temporaryFolder();
  using there = temporaryFolder();
  const first = await bundleConfig(write(here.path, sources));
  const moved = await bundleConfig(write(join(there.path, "a/b"), sources));
  const changed = await bundleConfig(
    write(here.path, { ...sources, "step.ts": "export const step: number = 2;\n" }),
  );
  assert.equal(moved.revision, first.revision);
  assert.notEqual(changed.revision, first.revision);
});

for (const [name, files, says] of [
  ["a syntax error", { "step.ts": "export const step = 1 +;\n" }, /^\S*step\.ts:1:24: Unexpected token$/],
  [
    "a missing file",
    { "counter.ts": `import "./nope.ts";\n${counter}` },
    /^\S*counter\.ts:1:8: Could not resolve '\.\/nope\.ts'/,
  ],
  [
    "a missing package",
    { "step.ts": 'import "left-pad-2";\nexport const step = 1;\n' },
    /^\S*step\.ts imports "left-pad-2", which is not installed: npm install left-pad-2$/,
  ],
  [
    "an error at the top level",
    { "step.ts": 'export const step: number = 1;\n\nthrow new Error("no key set");\n' },
    /^\S*step\.ts:3:7: no key set$/,
  ],
  [
    "a thrown text",
    { "step.ts": 'export const step: number = 1;\nthrow "no key set";\n' },
    /^it threw 'no key set', which is no Error$/,
  ],
  [
    "an error whose words are in its cause",
    {
      "step.ts": `export const step: number = 1;
throw new Error("cannot start", { cause: new AggregateError([new Error("no key set")]) });\n`,
    },
    /^\S*step\.ts:2:7: cannot start: no key set$/,
  ],
  [
    "an error without words",
    { "step.ts": 'export const step: number = 1;\nthrow new RangeError("");\n' },
    /^\S*step\.ts:2:7: RangeError$/,
  ],
  [
    "an error of a package, called at the top level",
    {
      "node_modules/strict/package.json": '{"name":"strict","main":"index.js"}',
      "node_modules/strict/index.js": 'exports.check = () => { throw new Error("no key set"); };\n',
      "step.ts": 'import { check } from "strict";\nexport const step: number = check();\n',
    },
    /^\S*step\.ts:2:\d+: no key set$/,
  ],
  [
    "a misused builder",
    { "counter.ts": counter.replace('"counter"', '"Counter"') },
    /^\S*counter\.ts:3:\d+: .*Counter/,
  ],
  [
    "no default export",
    { "voda.config.ts": "export const agents = [];\n" },
    /^the config has no default export: export default defineConfig.*; it exports agents$/,
  ],
  [
    "a config that throws where nobody catches it",
    {
      "step.ts": `setTimeout(() => { throw new Error("later"); });
export const step: number = await new Promise<number>(() => setInterval(String, 60_000));\n`,
    },
    /^\S*step\.ts:1:\d+: later$/,
  ],
  [
    "a config that waits for ever",
    { "step.ts": "export const step: number = await new Promise<number>(() => undefined);\n" },
    /^the config did not load: an await at its top level, or of what it imports, waits for what never comes$/,
  ],
  [
    "a config that ends the process",
    { "step.ts": "export const step: number = 1;\nprocess.exit(7);\n" },
    /ended the process that loads it with code 7/,
  ],
  [
    "a config whose process is ended by a signal",
    { "step.ts": "export const step: number = 1;\nprocess.kill(process.pid, 9);\n" },
    /^the process that loads the config was ended by SIGKILL; .* memory/,
  ],
] as const) {
  test(`${name} is one line with what is wrong`, async () => {
    using folder = temporaryFolder();
    const path = write(folder.path, { ...sources, ...files });
    await assert.rejects(
      async () => agentsOf(await bundleConfig(path), folder.path),
      (error: Error) => {
        assert.match(error.message, says);
        return error.name === "CliError";
      },
    );
  });
}

test("of a config that waits for ever Node says nothing of its own", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "bundle.mjs");
  writeFileSync(file, "await new Promise(() => undefined);\n");
  const child = spawn(process.execPath, [programs().describe, file], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  assert.ok(child.stdout !== null && child.stderr !== null);
  const said = Promise.all([text(child.stdout), text(child.stderr), once(child, "message")]);
  const [out, err, [description]] = await said;
  assert.deepEqual([out, err, description.type], ["", "", "failed"]);
});

test("a config that is not there names the flag", async () => {
  await assert.rejects(
    bundleConfig("/nowhere/voda.config.ts"),
    /^CliError: no \/nowhere\/voda\.config\.ts; write one .*--config$/,
  );
});
