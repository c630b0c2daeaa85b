// Installs what a fresh clone needs: packages, the pinned Node, the pinned servers.
// Plain JavaScript for Node >= 18 without dependencies: it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const fail = (message) => {
  console.error(`setup: ${message}`);
  process.exit(1);
};

/** `npm ci` once per content of the lock file; the stamp lives in the folder that `npm ci` deletes. */
function installPackages() {
  const stamp = at("node_modules/.voda-lock");
  const want = createHash("sha256")
    .update(readFileSync(at("package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === want) return;
  const keep = /^npm_config_(userconfig|globalconfig|cache|registry|proxy|https_proxy|cafile)$/;
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([key]) => keep.test(key) || !/^npm_(config|package|lifecycle)_/.test(key),
    ),
  );
  const args = [
    "ci",
    "--include=dev",
    "--include=optional",
    "--ignore-scripts",
    "--loglevel=error",
    "--no-audit",
    "--no-fund",
  ];
  const npm = process.env.npm_execpath; // the npm the user started, on the Node it runs on
  const [command, list] = npm
    ? [process.env.npm_node_execpath ?? process.execPath, [npm, ...args]]
    : ["npm", args];
  console.error("setup: installing packages (npm ci)");
  const startedMs = performance.now();
  const result = spawnSync(command, list, { cwd: at(""), stdio: "inherit", env });
  if (result.status !== 0) fail("npm ci failed; the lines above say why");
  console.error(`setup: npm ci took ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  writeFileSync(stamp, want);
}

/** npm 9, 10 and early 11 may not link the platform package's binary; on musl it does not start. */
function linkNode() {
  const { platform, arch } = process;
  const name = `node${platform === "darwin" && arch === "arm64" ? "-bin" : ""}-${platform}-${arch}`;
  const link = at("node_modules/.bin/node");
  const works = (exe) => spawnSync(exe, ["--version"]).status === 0;
  if (works(link)) return link;
  rmSync(link, { force: true });
  if (works(at(`node_modules/${name}/bin/node`))) {
    symlinkSync(`../${name}/bin/node`, link);
    return link;
  }
  if (Number(process.versions.node.split(".")[0]) < 24)
    fail("no pinned Node for this platform: install Node 24 or newer");
  return process.execPath;
}

/** Two first starts at once would race in `npm ci`. */
function withLock(work) {
  const lock = at(".voda/setup.lock");
  mkdirSync(at(".voda"), { recursive: true });
  const deadline = Date.now() + 180_000;
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      if (Date.now() > deadline) fail(`another setup holds ${lock}; remove the folder if none is running`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    }
  }
  const release = () => rmSync(lock, { recursive: true, force: true });
  process.on("exit", release);
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
  work();
}

withLock(() => {
  installPackages();
  const node = linkNode();
  const binaries = spawnSync(node, [at("cli/src/binaries/main.ts")], { stdio: "inherit", cwd: at("") });
  if (binaries.status !== 0) process.exit(binaries.status ?? 1);
});
