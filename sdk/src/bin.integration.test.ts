// The `voda` command as it is started: by the user's Node, in the layout of the workspace and of the
// published package.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../bin/voda.mjs", import.meta.url));
const { platform, arch } = process;
const pinnedPackage = `node${platform === "darwin" && arch === "arm64" ? "-bin" : ""}-${platform}-${arch}`;

/** The Node of the machine where there is one, else the one that runs the tests. */
const usersNode =
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => !folder.includes("node_modules"))
    .map((folder) => join(folder, "node"))
    .find((file) => existsSync(file)) ?? process.execPath;

// Stands where the CLI stands: says who runs it and with what, then does what its first argument names.
const probe = `
const [what, ...rest] = process.argv.slice(2);
const say = (text) => process.stdout.write(text + "\\n");
say(JSON.stringify({ node: process.execPath, entry: process.argv[1], rest }));
if (what === "exit") process.exitCode = Number(rest[0]);
if (what === "echo") process.stdin.pipe(process.stdout);
if (what === "die") process.kill(process.pid, "SIGKILL");
if (what === "wait") {
  const timer = setInterval(() => {}, 1000);
  process.on("SIGTERM", () => { clearInterval(timer); say("asked to stop"); process.exitCode = 7; });
  say("ready");
}
`;

interface Layout {
  readonly pinned: "linked" | "broken" | "absent";
  readonly workspace: boolean;
}

function layOut(layout: Layout) {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "voda-bin-")));
  const room = layout.workspace ? join(root, "sdk") : join(root, "node_modules", "voda");
  const entry = layout.workspace ? join(root, "cli", "src", "main.ts") : join(room, "dist", "cli.js");
  for (const folder of [join(room, "bin"), dirname(entry), join(root, "node_modules", pinnedPackage, "bin")])
    mkdirSync(folder, { recursive: true });
  cpSync(bin, join(room, "bin", "voda.mjs"));
  writeFileSync(entry, probe);
  writeFileSync(join(room, "package.json"), '{"type":"module"}');
  if (layout.workspace)
    writeFileSync(join(root, "cli", "package.json"), '{"name":"@voda/cli","type":"module"}');
  const node = join(root, "node_modules", pinnedPackage, "bin", "node");
  if (layout.pinned === "linked") symlinkSync(process.execPath, node);
  if (layout.pinned === "broken") writeFileSync(node, "#!/no/such/loader\n", { mode: 0o755 });
  return {
    entry,
    bin: join(room, "bin", "voda.mjs"),
    [Symbol.dispose]: () => rmSync(root, { recursive: true }),
  };
}

function collect(child: ChildProcess) {
  const text = { out: "", error: "" };
  child.stdout?.on("data", (chunk: Buffer) => (text.out += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (text.error += chunk.toString()));
  return text;
}

async function finish(node: string, args: readonly string[], input = "") {
  const child = spawn(node, args, { stdio: "pipe" });
  const text = collect(child);
  child.stdin.end(input);
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  return { code, signal, ...text };
}

const firstLine = (out: string): Record<string, unknown> =>
  JSON.parse(out.split("\n")[0] ?? "") as Record<string, unknown>;

test("the file can be executed", () => {
  accessSync(bin, constants.X_OK);
});

test("the pinned Node runs the published bundle, with arguments and exit code passed through", async () => {
  using layout = layOut({ pinned: "linked", workspace: false });
  const result = await finish(usersNode, [layout.bin, "exit", "3", "--flag", "a b"]);
  assert.deepEqual(firstLine(result.out), {
    node: realpathSync(process.execPath),
    entry: layout.entry,
    rest: ["3", "--flag", "a b"],
  });
  assert.deepEqual([result.code, result.error], [3, ""]);
});

test("in the workspace it runs the sources of the CLI", async () => {
  using layout = layOut({ pinned: "linked", workspace: true });
  const result = await finish(usersNode, [layout.bin, "exit", "0"]);
  assert.equal(firstLine(result.out)["entry"], layout.entry);
  assert.equal(result.code, 0);
});

test("standard input reaches the CLI", async () => {
  using layout = layOut({ pinned: "linked", workspace: false });
  assert.match((await finish(usersNode, [layout.bin, "echo"], "typed in")).out, /\ntyped in$/);
});

test("a signal reaches the CLI, which decides how to end", { timeout: 60_000 }, async () => {
  using layout = layOut({ pinned: "linked", workspace: false });
  const child = spawn(usersNode, [layout.bin, "wait"], { stdio: "pipe" });
  const text = collect(child);
  while (!text.out.includes("ready")) await once(child.stdout, "data");
  child.kill("SIGTERM");
  const [code] = (await once(child, "close")) as [number | null];
  assert.match(text.out, /asked to stop/);
  assert.equal(code, 7);
});

test("who runs it for npm stops when npm or npm's shell is gone", { timeout: 20_000 }, async () => {
  using layout = layOut({ pinned: "linked", workspace: false });
  for (const [killed, signal] of [
    ["npm", "SIGKILL"],
    ["shell", "SIGTERM"],
  ] as const) {
    const env = { ...process.env, npm_execpath: "npm-cli.js" };
    // What npm and its shell are to the command: neither hands a signal on.
    const shell = `echo shell $$; "${usersNode}" "${layout.bin}" wait; true`;
    const child = spawn("sh", ["-c", `echo npm $$; sh -c '${shell}'; true`], { stdio: "pipe", env });
    const text = collect(child);
    while (!text.out.includes("ready")) await once(child.stdout, "data");
    process.kill(Number(new RegExp(`^${killed} (\\d+)$`, "m").exec(text.out)?.[1]), signal);
    await once(child, "close"); // nothing holds its output any more
    assert.match(text.out, /asked to stop/);
  }
});

test("a CLI that a signal ended gives the exit code of a shell", async () => {
  using layout = layOut({ pinned: "linked", workspace: false });
  assert.equal((await finish(usersNode, [layout.bin, "die"])).code, 137);
});

test("without a pinned Node that starts, a new enough Node runs the CLI itself", async () => {
  for (const pinned of ["absent", "broken"] as const) {
    using layout = layOut({ pinned, workspace: false });
    const result = await finish(process.execPath, [layout.bin, "exit", "4"]);
    assert.deepEqual(
      [firstLine(result.out)["node"], result.code, result.error],
      [process.execPath, 4, ""],
      pinned,
    );
  }
});

test("without the pinned Node an old one says what to do, in one line", async () => {
  using layout = layOut({ pinned: "absent", workspace: false });
  const old = `{ value: { ...process.versions, node: "18.19.0" } }`;
  const versions = `Object.defineProperty(process, "versions", ${old})`;
  const result = await finish(process.execPath, [
    "--import",
    `data:text/javascript,${encodeURIComponent(versions)}`,
    layout.bin,
  ]);
  assert.equal(result.code, 1);
  assert.equal(
    result.error,
    "voda: needs Node 24 or newer, and this is 18.19.0: install it, " +
      "or install voda again with its optional dependencies\n",
  );
});
