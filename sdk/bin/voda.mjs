#!/usr/bin/env node
// Runs the CLI on the Node that voda is pinned to. Plain JavaScript for Node >= 18.19: the user's Node starts
// it.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

const nodeMajorMin = 24;
const at = (path) => fileURLToPath(new URL(path, import.meta.url));

function fail(message) {
  process.stderr.write(`voda: ${message}\n`);
  process.exit(1);
}

/** The sources in the workspace, the bundle in the published package. */
function entry() {
  const workspace = at("../../cli/package.json");
  const isWorkspace =
    existsSync(workspace) && JSON.parse(readFileSync(workspace, "utf8")).name === "@voda/cli";
  return isWorkspace ? at("../../cli/src/main.ts") : at("../dist/cli.js");
}

/** The Node of our optional dependency, if it was installed. */
function pinnedNode() {
  const { platform, arch } = process;
  const name = `node${platform === "darwin" && arch === "arm64" ? "-bin" : ""}-${platform}-${arch}`;
  try {
    return createRequire(import.meta.url).resolve(`${name}/bin/node`);
  } catch {
    return undefined;
  }
}

/** A terminal sends Ctrl-C to the child as well; passing it on would make it two. */
const hasTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);

const parentsEveryMs = 250;

/**
 * The process that started this one, and, where it is npm's shell and /proc tells, npm. No further up: who
 * starts npm in the background and leaves wants it to go on.
 */
function parents() {
  const { ppid } = process;
  try {
    const shell = /^\d+ \((?:sh|ash|dash|bash|zsh)\) \S (\d+) /.exec(
      readFileSync(`/proc/${ppid}/stat`, "latin1"),
    );
    return `${ppid} ${shell?.[1]}`;
  } catch {
    return `${ppid}`; // gone, or a system without /proc
  }
}

/**
 * npm and npx, and the shell that they start, end by a signal and hand it to nobody: who loses them is to
 * stop.
 */
function whenNpmEnds(stop) {
  if (process.env.npm_execpath === undefined) return;
  const before = parents();
  const timer = setInterval(() => {
    if (parents() === before) return;
    clearInterval(timer);
    stop();
  }, parentsEveryMs);
  timer.unref();
}

/**
 * The parts of a mesh talk to each other on this machine; a proxy (`NODE_USE_ENV_PROXY`) is for what is
 * elsewhere.
 */
function environment() {
  const { NO_PROXY, no_proxy = NO_PROXY } = process.env;
  const hosts = [no_proxy, "127.0.0.1", "localhost", "::1"]
    .filter((host) => host !== undefined && host !== "")
    .join(",");
  return { ...process.env, NO_PROXY: hosts, no_proxy: hosts };
}

function run(node, otherwise) {
  const child = spawn(node, [entry(), ...process.argv.slice(2)], { stdio: "inherit", env: environment() });
  const pass = (signal) => {
    if (signal !== "SIGINT" || !hasTerminal) child.kill(signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];
  const listen = () => signals.forEach((signal) => process.on(signal, pass));
  const unlisten = () => signals.forEach((signal) => process.removeListener(signal, pass));
  listen();
  whenNpmEnds(() => child.kill("SIGTERM"));
  child.once("error", (error) => {
    unlisten();
    otherwise(error); // on musl the pinned Node does not start
  });
  child.once("exit", (code, signal) => {
    unlisten();
    // What a shell says of a child that a signal ended.
    process.exitCode = signal === null ? code : 128 + constants.signals[signal];
  });
}

function runOnCurrent() {
  const { node } = process.versions;
  if (Number(node.split(".")[0]) < nodeMajorMin)
    fail(
      `needs Node ${nodeMajorMin} or newer, and this is ${node}: install it, or install voda again with its optional dependencies`,
    );
  run(process.execPath, (error) => fail(`cannot start ${process.execPath}: ${error.message}`));
}

const pinned = pinnedNode();
if (pinned === undefined) runOnCurrent();
else run(pinned, runOnCurrent);
