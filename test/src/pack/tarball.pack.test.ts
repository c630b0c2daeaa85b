// The tarball as a newcomer gets it: packed, installed into an empty folder by the user's npm, run under the
// user's Node.
import assert from "node:assert/strict";
import { type ChildProcess, type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import {
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import type { ReadyFile } from "../../../cli/src/up/ready-file.ts";
import { blocksOf, callsOf, root } from "../docs/documents.ts";
import { freePort, pidsOf, waitUntil } from "../kit/index.ts";

const run = promisify(execFile);
const ctrlC = "\x03";
/** By itself, or by a signal. */
const hasEnded = ({ exitCode, signalCode }: Pick<ChildProcess, "exitCode" | "signalCode">): boolean =>
  exitCode !== null || signalCode !== null;

/** Without what npm gave this process: the user's Node and npm, and nothing of the workspace. */
const environment = Object.fromEntries(
  Object.entries({
    ...process.env,
    PATH: (process.env["PATH"] ?? "")
      .split(delimiter)
      .filter((folder) => !folder.includes("node_modules"))
      .join(delimiter),
  }).filter(
    ([name]) =>
      !/^(npm_(package|lifecycle|config_local_prefix|command|execpath|node_execpath)|INIT_CWD|NODE(_TEST_CONTEXT)?$)/.test(
        name,
      ),
  ),
);

let folder: string;
let installed: { readonly stderr: string };
const inFolder = (command: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> =>
  run(command, args, { cwd: folder, env: environment });

before(async () => {
  await run(process.execPath, ["cli/src/pack/main.ts"], { cwd: root });
  const { version } = JSON.parse(readFileSync(join(root, "sdk/package.json"), "utf8")) as { version: string };
  folder = realpathSync(mkdtempSync(join(tmpdir(), "voda-tarball-")));
  installed = await inFolder("npm", "install", "--no-audit", "--no-fund", join(root, `voda-${version}.tgz`));
  await inFolder("npm", "pkg", "set", "type=module");
  for (const { language, text } of blocksOf("README.md")) {
    const name = /^\/\/ ([\w.]+\.ts)\n/.exec(text)?.[1];
    if (language === "ts" && name !== undefined) writeFileSync(join(folder, name), text);
  }
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("the package installs without a warning, and its links lead to what it has", () => {
  assert.doesNotMatch(installed.stderr, /EBADENGINE|install-scripts|deprecated/);
  const voda = join(folder, "node_modules/voda");
  const documents = globSync("{README.md,docs/**/*.md,examples/**/*.md}", { cwd: voda });
  const links = documents.flatMap((document) =>
    [...readFileSync(join(voda, document), "utf8").matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g)].map(
      ([, link = ""]) => join(dirname(document), link),
    ),
  );
  assert.ok(links.includes("docs/clients.md") && links.includes("examples"), links.join(" "));
  assert.deepEqual(
    links.filter((link) => !existsSync(join(voda, link))),
    [],
  );
});

test("the README's first code compiles as `tsc --init` has it", async () => {
  const tsc = join(root, "node_modules/.bin/tsc");
  await inFolder(tsc, "--init");
  await inFolder(tsc, "--noEmit").catch((error: { stdout: string }) => assert.fail(error.stdout));
  rmSync(join(folder, "tsconfig.json"));
});

test("the README's files compile against the declarations in the package", async () => {
  assert.deepEqual(
    ["counter.ts", "voda.config.ts"].map((name) => existsSync(join(folder, name))),
    [true, true],
  );
  writeFileSync(
    join(folder, "check.ts"),
    `import { createClient } from "voda/client";
import type config from "./voda.config.ts";
const voda = createClient<typeof config>({ url: "http://localhost:4000" });
export const sum: Promise<number> = voda.counter("alice").add(2);
// @ts-expect-error the input is a number
void voda.counter("alice").add("2");
`,
  );
  const flags =
    "--noEmit --strict --skipLibCheck false --module nodenext --target es2024 --allowImportingTsExtensions --types".split(
      " ",
    );
  const files = ["counter.ts", "voda.config.ts", "check.ts"];
  const tsc = join(root, "node_modules/.bin/tsc");
  await inFolder(tsc, ...flags, "", ...files).catch((error: { stdout: string }) => assert.fail(error.stdout));
});

test("a user's test of an agent compiles, and passes on the user's Node", async () => {
  const [block] = blocksOf("docs/testing.md");
  writeFileSync(join(folder, "counter.test.ts"), block?.text ?? "");
  const types = ["--typeRoots", join(root, "node_modules/@types"), "--types", "node"];
  const flags = "--strict --skipLibCheck --module nodenext --target es2022 --rewriteRelativeImportExtensions";
  const tsc = join(root, "node_modules/.bin/tsc");
  await inFolder(tsc, ...flags.split(" "), ...types, "counter.test.ts").catch((error: { stdout: string }) =>
    assert.fail(error.stdout),
  );
  const { stdout } = await inFolder("node", "--test", "--test-reporter=tap", "counter.test.js");
  assert.match(stdout, /^# pass 1$/m);
});

test("npx voda dev answers the README's lines through Envoy on the pinned Node, and Ctrl-C leaves nothing behind", async () => {
  const port = await freePort();
  const readyFile = join(folder, "ready.json");
  const dev = inTerminal("npx", "voda", "dev", "--ingress-port", String(port), "--ready-file", readyFile);
  let pids: number[] = [];
  try {
    await waitUntil(() => existsSync(readyFile) || hasEnded(dev.child), "the mesh serves");
    assert.ok(!hasEnded(dev.child), dev.output());
    const mesh = JSON.parse(readFileSync(readyFile, "utf8")) as ReadyFile;
    pids = pidsOf(mesh);
    assert.equal(pids.filter(isAlive).length, 4);
    const node = readlinkSync(`/proc/${mesh.nodes[0]?.pid}/exe`);
    assert.ok(node.startsWith(join(folder, "node_modules/node-")), `the node runs on ${node}`);
    for (const { command, prints } of callsOf("README.md")) {
      const line = command.replaceAll("localhost:4000", `localhost:${port}`);
      const env = { ...environment, VODA_URL: `http://localhost:${port}` };
      const { stdout } = await run("sh", ["-c", line], { cwd: folder, env });
      assert.deepEqual(JSON.parse(stdout), prints, command);
    }
  } finally {
    dev.child.stdin.write(ctrlC);
    await waitUntil(() => hasEnded(dev.child) && !pids.some(isAlive), `all is gone: ${dev.output()}`);
  }
  assert.match(dev.output(), /voda: stopping/);
  assert.equal(existsSync(readyFile), false);
});

test("benches that need no lists of the user's own run from the package", async () => {
  const benches = [
    "counters --seconds 1 --sessions 8 --clients 4 --kill node --kill-every-ms 400",
    "mesh-trace --sessions 1 --edits-per-call 4000",
    "calls --seconds 1 --sessions 8 --clients 2",
    "wake --sessions 8",
    "ps --runs 1",
    "size",
    "compute --job steal",
    "placement-speed --no-end-to-end",
  ];
  for (const bench of benches) await inFolder("npx", "voda", "bench", ...bench.split(" "));
});

/** Runs a command as a terminal does: what is typed goes to all of its processes. */
function inTerminal(...command: string[]): { child: ChildProcessWithoutNullStreams; output: () => string } {
  const pty = ["-c", "import pty, sys; pty.spawn(sys.argv[1:])", ...command];
  const child = spawn("python3", pty, { cwd: folder, env: environment, stdio: "pipe" });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return { child, output: () => output };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "ESRCH") return false;
    throw error;
  }
}
