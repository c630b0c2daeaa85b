import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { temporaryFolder } from "../../test/start.ts";
import { run } from "../program.ts";
import { programs } from "../programs.ts";
import { keepConfig } from "../up/kept-config.ts";

const time = Date.UTC(2026, 0, 1, 12, 0, 0);
const entry = (at: number, more: object): string => JSON.stringify({ level: 30, time: time + at, ...more });
const ofCounter = { agent: "counter", method: "add" };
const alice = entry(2_000, { ...ofCounter, key: "alice", request: "r-1", msg: "hello" });
const bob = entry(1_000, { ...ofCounter, key: "bob", request: "r-2", msg: "hi" });
const ended = entry(3_000, { level: 50, agent: "cart, counter", msg: "the thread ended: its heap is full" });
const renewed = entry(0, { msg: "lease renewed" });

/** A data directory whose nodes have written these lines. */
function written(files: Readonly<Record<string, readonly string[]>>) {
  const folder = temporaryFolder();
  mkdirSync(join(folder.path, "logs"));
  const file = (name: string): string => join(folder.path, "logs", name);
  for (const [name, lines] of Object.entries(files)) writeFileSync(file(name), `${lines.join("\n")}\n`);
  const logs = async (...args: string[]): Promise<{ code: number; out: string[]; err: string[] }> => {
    const [out, err]: [string[], string[]] = [[], []];
    const code = await run(["logs", ...args, "--data-dir", folder.path], {
      out: (line) => out.push(line),
      err: (line) => err.push(line),
    });
    return { code, out, err };
  };
  return { file, logs, path: folder.path, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

const files = {
  "n1.log.1": [renewed],
  "n1.log": [alice],
  "n2.log": [bob, ended],
  "nats.log": ["[1] no line of ours"],
};

test("lines of all nodes come in the order of their times, with session and request", async () => {
  using mesh = written(files);
  assert.deepEqual(await mesh.logs(), {
    code: 0,
    err: [],
    out: [
      "2026-01-01T12:00:01.000Z counter/bob  add  info  hi  request r-2",
      "2026-01-01T12:00:02.000Z counter/alice  add  info  hello  request r-1",
      "2026-01-01T12:00:03.000Z cart, counter  error  the thread ended: its heap is full",
    ],
  });
});

test("a place is told from here, as the terminal does it, wherever the config is", async () => {
  const failed = entry(0, {
    ...ofCounter,
    level: 50,
    key: "alice",
    msg: "handler failed",
    at: "counter.ts:4:7",
  });
  using mesh = written({ "n1.log": [failed] });
  const place = async (): Promise<string | undefined> => (await mesh.logs()).out[0]?.split("\n").at(-1);
  assert.equal(await place(), "    at counter.ts:4:7");
  keepConfig(mesh.path, join(process.cwd(), "shop", "voda.config.ts"));
  assert.equal(await place(), "    at shop/counter.ts:4:7");
});

test("an agent, a session, a request and a number choose lines; for programs they are as written", async () => {
  using mesh = written(files);
  const out = async (...args: string[]): Promise<string[]> => (await mesh.logs(...args, "--json")).out;
  assert.deepEqual(await out("counter"), [bob, alice, ended]);
  assert.deepEqual(await out("cart"), [ended]);
  assert.deepEqual(await out("counter/alice"), [alice]);
  assert.deepEqual(await out("--request", "r-2"), [bob]);
  assert.deepEqual(await out("--tail", "2"), [alice, ended]);
  assert.deepEqual(await out("--tail", "0"), []);
});

test("nothing found is told with where it was looked for, and a folder without logs is an error", async () => {
  using mesh = written(files);
  const { code, out, err } = await mesh.logs("counter/eve", "--request", "r-9");
  assert.deepEqual([code, out, err.length], [0, [], 1]);
  assert.match(
    err[0] ?? "",
    /^voda: nothing is logged of counter\/eve for request r-9 in \/.*\/logs; logged are: cart, counter$/,
  );
  using none = temporaryFolder();
  const said: string[] = [];
  const args = ["logs", "--data-dir", none.path];
  assert.equal(await run(args, { out: () => undefined, err: (line) => said.push(line) }), 3);
  assert.match(said[0] ?? "", /^voda: no logs in \/.*: no mesh has run there; .*--data-dir$/);
});

test("a folder without logs, and what in it is no file, are no errors", async () => {
  using mesh = written({});
  const nothing = { code: 0, out: [], err: [`voda: nothing is logged of any agent in ${mesh.path}/logs`] };
  assert.deepEqual(await mesh.logs(), nothing);
  mkdirSync(mesh.file("x.log"));
  spawnSync("mkfifo", [mesh.file("y.log"), mesh.file("n1.log.1")]);
  assert.deepEqual(await mesh.logs(), nothing);
  writeFileSync(mesh.file("n1.log"), `${alice}\n`);
  assert.deepEqual((await mesh.logs("--json")).out, [alice]);
});

test("a folder that goes while it is followed ends it, with its name", async () => {
  using mesh = written(files);
  const out = (line: string): void => {
    if (line === ended) rmSync(mesh.file(""), { recursive: true });
  };
  const said: string[] = [];
  const args = ["logs", "--follow", "--json", "--data-dir", mesh.path];
  assert.equal(await run(args, { out, err: (line) => said.push(line) }), 3);
  assert.match(said.join(), /^voda: the logs in \/\S+\/logs cannot be read any more: ENOENT/);
});

test("what agents say cannot command a terminal, nor look like a line of another; for programs it is exact", async () => {
  const msg = "a\u001b]0;b\u0007\r\n12:00:00 cart  info  paid\u009b2J \u202e\t\u2028é";
  const line = JSON.stringify({ level: 30, time, agent: "counter", msg, fields: { x: "\u009b" } });
  using mesh = written({ "n1.log": [line, "Error: \u001b[2J"] });
  const told =
    "2026-01-01T12:00:00.000Z counter  info  a\\u001b]0;b\\u0007\n    12:00:00 cart  info  paid\\u009b2J \\u202e\t\\u2028é";
  assert.deepEqual((await mesh.logs()).out, [`${told}  {"x":"\\u009b"}`, "n1  Error: \\u001b[2J"]);
  assert.deepEqual((await mesh.logs("--json")).out, [line]);
  assert.match((await mesh.logs("x\u001b[2J")).err.join(), /^voda: agent "x\\u001b\[2J" is not a name/);
});

test("a name that cannot be is refused before anything is read", async () => {
  for (const [name, says] of [
    ["Bad", /^voda: agent "Bad" is not a name: .*; write AGENT, or AGENT\/KEY, as in counter\/alice$/],
    ["", /^voda: agent "" is not a name/],
    ["Bad Agent/x", /^voda: agent "Bad Agent" is not a name/],
    ["shop/", /^voda: the key is empty/],
  ] as const) {
    using mesh = written(files);
    const { code, out, err } = await mesh.logs(name);
    assert.deepEqual([code, out, err.length], [2, [], 1]);
    assert.match(err[0] ?? "", says);
  }
  using mesh = written(files);
  for (const id of ["", "r 1"]) {
    const { code, err } = await mesh.logs("--request", id);
    assert.equal(code, 2);
    assert.match(err[0] ?? "", /'--request <id>' argument '.*' is invalid: write an x-request-id/);
  }
});

test("--follow goes on with what is written, past a change of files, until Ctrl-C", async () => {
  using mesh = written({ "n1.log": [alice] });
  const args = ["logs", "--follow", "--tail", "0", "--json", "--data-dir", mesh.path];
  const child = spawn(process.execPath, [programs().cli, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => (await lines.next()).value;
  // what is appended before it has looked is part of what is left out
  const probe = setInterval(() => appendFileSync(mesh.file("n1.log"), `${bob}\n`), 100);
  assert.equal(await next(), bob);
  clearInterval(probe);
  appendFileSync(mesh.file("n1.log"), `${ended}\n`);
  while ((await next()) !== ended);
  appendFileSync(mesh.file("n1.log"), `${alice}\n`);
  renameSync(mesh.file("n1.log"), mesh.file("n1.log.1"));
  writeFileSync(mesh.file("n1.log"), `${bob}\n`);
  writeFileSync(mesh.file("n2.log"), `${ended}\n`);
  assert.deepEqual(new Set([await next(), await next(), await next()]), new Set([alice, bob, ended]));
  child.kill("SIGINT");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});
