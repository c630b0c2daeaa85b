// What is found relative to its module, in packages and in the user's own files: it must work from the
// bundle, which lies elsewhere.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/start.ts";
import { programs } from "../programs.ts";
import { type Bundle, bundleConfig } from "./bundle.ts";
import { readAgents } from "./definitions.ts";

const packageFile = (more: object): string => JSON.stringify({ version: "1.0.0", main: "index.js", ...more });

/** Packages as they are published: each finds a part of itself by where it lies, in its own way. */
const installed = {
  "node_modules/reads-dirname/package.json": packageFile({ name: "reads-dirname" }),
  "node_modules/reads-dirname/index.js":
    'exports.word = require("fs").readFileSync(require("path").join(__dirname, "word.txt"), "utf8");\n',
  "node_modules/reads-dirname/word.txt": "dirname",
  "node_modules/@acme/by-url/package.json": packageFile({ name: "@acme/by-url", type: "module" }),
  "node_modules/@acme/by-url/index.js":
    'import { createRequire } from "node:module";\n' +
    'export const { word } = createRequire(import.meta.url)("./word.json");\n',
  "node_modules/@acme/by-url/word.json": '{"word":"by-url"}',
  // Its own code is plain: what it depends on looks around, and by the stack would find the wrong caller in a
  // bundle.
  "node_modules/over-another/package.json": packageFile({ name: "over-another" }),
  "node_modules/over-another/index.js": 'exports.word = require("reads-dirname").word + "-twice";\n',
  "node_modules/native/package.json": packageFile({ name: "native" }),
  "node_modules/native/index.js":
    'exports.load = () => require("./build/native.node"); exports.word = "native";\n',
  "node_modules/native/build/native.node": "\u007fELF no text",
  "node_modules/plain/package.json": packageFile({ name: "plain", type: "module" }),
  "node_modules/plain/index.js": 'export const word = "plain";\n',
};
const agentNamed = (imports: string, name: string) => `import { agent } from "voda";
import { defineConfig } from "voda/config";
${imports}
export default defineConfig({ agents: [agent(${name}, {})] });
`;

function write(folder: string, files: Readonly<Record<string, string>>): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return join(folder, "voda.config.ts");
}

/** The name of the one agent, as the bundle's own code makes it. */
async function agentOf(bundle: Bundle, folder: string): Promise<string | undefined> {
  const agents = await readAgents(bundle, programs().describe, join(folder, "elsewhere"));
  return agents[0]?.name;
}

for (const [name, config, agent, packages, more] of [
  [
    "a package that reads __dirname",
    agentNamed('import { word } from "reads-dirname";', "word"),
    "dirname",
    ["reads-dirname"],
    {},
  ],
  [
    "a package that reads import.meta.url",
    agentNamed('import { word } from "@acme/by-url";', "word"),
    "by-url",
    ["@acme/by-url"],
    {},
  ],
  [
    "a package over one that reads __dirname",
    agentNamed('import { word } from "over-another";', "word"),
    "dirname-twice",
    ["over-another"],
    {},
  ],
  [
    "a package with native code",
    agentNamed('import { word } from "native";', "word"),
    "native",
    ["native"],
    {},
  ],
  [
    "a package that is required",
    agentNamed('import word from "./word.cjs";', "word"),
    "dirname",
    ["reads-dirname"],
    { "word.cjs": 'module.exports = require("reads-dirname").word;\n' },
  ],
  [
    "a package that is imported late",
    agentNamed('const { word } = await import("reads-dirname");', "word"),
    "dirname",
    ["reads-dirname"],
    {},
  ],
  [
    "a package that needs nothing around it",
    agentNamed('import { word } from "plain";', "word"),
    "plain",
    [],
    {},
  ],
] as const) {
  test(`${name} works from the bundle, and is named where it cannot travel`, async () => {
    using folder = temporaryFolder();
    const path = write(folder.path, { ...installed, ...more, "voda.config.ts": config });
    const bundle = await bundleConfig(path);
    assert.equal(await agentOf(bundle, folder.path), agent);
    assert.deepEqual(bundle.stays, { packages: [...packages], files: [] });
  });
}

for (const [name, files, agent] of [
  [
    "a file beside the module",
    {
      "prompts/prompt.ts": `import { readFileSync } from "node:fs";
// "import.meta.url" in a text stays a text
export const word: string = readFileSync(new URL("./prompt.txt", import.meta.url), "utf8")
  + "import.meta.url".length;
`,
      "prompts/prompt.txt": "prompt",
    },
    "prompt15",
  ],
  [
    "import.meta.dirname",
    {
      "prompts/prompt.ts": `import { readFileSync } from "node:fs";
export const word: string = readFileSync(import.meta.dirname + "/prompt.txt", "utf8");
`,
      "prompts/prompt.txt": "prompt",
    },
    "prompt",
  ],
  [
    "createRequire",
    {
      "prompts/prompt.ts": `import { createRequire } from "node:module";
export const word: string = createRequire(import.meta.url)("./word.json").word;
`,
      "prompts/word.json": '{"word":"json"}',
    },
    "json",
  ],
  [
    "a worker thread of one's own",
    {
      "prompts/prompt.ts": `import { once } from "node:events";
import { Worker } from "node:worker_threads";
export const [word] = await once(new Worker(new URL("./thread.ts", import.meta.url)), "message");
`,
      "prompts/thread.ts": `import { parentPort } from "node:worker_threads";
const word: string = "threaded";
parentPort?.postMessage(word);
`,
    },
    "threaded",
  ],
] as const) {
  test(`${name} is found from the bundle, and the module is named as one that cannot travel`, async () => {
    using folder = temporaryFolder();
    const config = agentNamed('import { word } from "./prompts/prompt.ts";', "word");
    const path = write(folder.path, { ...files, "voda.config.ts": config });
    const bundle = await bundleConfig(path);
    assert.equal(await agentOf(bundle, folder.path), agent);
    assert.deepEqual(bundle.stays, { packages: [], files: [join("prompts", "prompt.ts")] });
  });
}
