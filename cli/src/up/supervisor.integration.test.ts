// The supervisor with a real nats-server, a real Envoy and stand-ins for voda's own programs.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually, readReady, type Started, startMesh, temporaryFolder } from "../../test/start.ts";
import { adminIsReady } from "./edge-folder.ts";
import { lockHolder } from "./lock.ts";
import { processesFile } from "./mesh.ts";
import { freePorts, loopback } from "./ports.ts";
import { commandOf, type ProcessRecord } from "./processes.ts";
import type { ReadyFile } from "./ready-file.ts";

const ready = (mesh: Started): Promise<ReadyFile> =>
  eventually("a ready file", () => readReady(mesh.readyFile));
const pidsOf = (file: ReadyFile): readonly number[] => [
  file.nats.pid,
  file.envoy.pid,
  ...file.controlplanes.map((one) => one.pid),
  ...file.nodes.map((one) => one.pid),
];
const running = (pids: readonly number[]): readonly string[] => pids.flatMap((pid) => commandOf(pid) ?? []);
const withoutPids = (file: ReadyFile): unknown =>
  JSON.parse(JSON.stringify(file, (key, value) => (key === "pid" ? 0 : value)));

/** Texts and numbers by their type. */
const shapeOf = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shapeOf(item)]));
};

test("programs read the ready file: it has these keys and no others; every child that is killed serves again under a new pid and its old port, and this is told", async () => {
  using folder = temporaryFolder();
  await using mesh = startMesh(folder.path);
  let file = await ready(mesh);
  const node = { id: "string", pid: "number", ingress: "string" };
  assert.deepEqual(shapeOf(file), {
    ingress: "string",
    api: "string",
    nats: { url: "string", pid: "number" },
    envoy: { admin: "string", pid: "number" },
    controlplanes: [{ pid: "number" }],
    nodes: [node, node],
  });
  for (const [index, pid] of pidsOf(file).entries()) {
    const before = file;
    process.kill(pid, "SIGKILL");
    file = await eventually(`child ${index} again`, () => {
      const now = readReady(mesh.readyFile);
      return now === undefined || pidsOf(now)[index] === pid || pidsOf(now).includes(0) ? undefined : now;
    });
    assert.deepEqual(withoutPids(file), withoutPids(before));
    assert.deepEqual(
      pidsOf(file).filter((_, other) => other !== index),
      pidsOf(before).filter((_, other) => other !== index),
    );
  }
  for (const { id, ingress } of file.nodes) assert.equal(await (await fetch(`http://${ingress}`)).text(), id);
  assert.equal(await adminIsReady(file.envoy.admin, AbortSignal.timeout(60_000)), true);
  mesh.process.kill("SIGTERM");
  const said = (await mesh.stderr).split("\n");
  for (const name of ["nats", "envoy", "controlplane", "n1", "n2"])
    assert.deepEqual(
      said.filter((line) => line.startsWith(`${name} `)),
      [`${name} was ended by SIGKILL; starting it again`, `${name} serves again`],
    );
});

test("the ready file never names a process that does not serve yet, whoever else serves meanwhile", async () => {
  using folder = temporaryFolder();
  await using mesh = startMesh(folder.path);
  const [n1, n2] = (await ready(mesh)).nodes;
  assert.ok(n1 !== undefined && n2 !== undefined);
  const hold = join(folder.path, "nodes", "n1", "hold");
  writeFileSync(hold, "");
  process.kill(n1.pid, "SIGKILL");
  const starts = (): ProcessRecord | undefined =>
    (JSON.parse(readFileSync(processesFile(folder.path), "utf8")) as ProcessRecord[]).find(
      ({ name, pid }) => name === "n1" && pid !== n1.pid,
    );
  await eventually("n1 starts", starts);
  process.kill(n2.pid, "SIGKILL");
  const nodes = (): ReadyFile["nodes"] => readReady(mesh.readyFile)?.nodes ?? [];
  await eventually("n2 serves again", () => nodes()[1]?.pid !== n2.pid || undefined);
  assert.equal(nodes()[0]?.pid, 0);
  rmSync(hold);
  await eventually("n1 serves again", () => nodes()[0]?.pid || undefined);
});

test("SIGINT and SIGTERM end everything with exit code 0, SIGKILL leaves no child, and the next start works", async () => {
  using folder = temporaryFolder();
  for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
    await using mesh = startMesh(folder.path);
    const pids = pidsOf(await ready(mesh));
    assert.equal(running(pids).length, 5);
    mesh.process.kill(signal);
    if (signal === "SIGKILL") {
      assert.equal(await mesh.ended, signal);
      await eventually("all children gone", () => (running(pids).length === 0 ? true : undefined));
      continue;
    }
    assert.equal(await mesh.ended, 0);
    assert.deepEqual(running(pids), []);
    const records: ProcessRecord[] = JSON.parse(readFileSync(processesFile(folder.path), "utf8"));
    assert.deepEqual(records, []);
  }
  await using next = startMesh(folder.path); // its lock and its ports are free
  assert.equal(running(pidsOf(await ready(next))).length, 5);
});

test("a full disk ends nothing: children that die are started again, and what was not written then is later", async () => {
  using folder = temporaryFolder();
  await using mesh = startMesh(folder.path);
  const before = await ready(mesh);
  const [first] = before.nodes;
  assert.ok(first !== undefined);
  const { pid, ingress } = first;
  const logOf = (name: string): string => readFileSync(join(folder.path, "logs", `${name}.log`), "utf8");
  /** As a full disk does it: no file of the supervisor can grow. */
  const limitFiles = (bytes: string): void => {
    const limit = ["--pid", String(mesh.process.pid), `--fsize=${bytes}:`];
    const { status, error } = spawnSync("prlimit", limit, { stdio: "inherit" });
    assert.equal(status, 0, `prlimit, of the package util-linux: ${error}`);
  };
  limitFiles("0");
  process.kill(pid, "SIGKILL");
  await eventually("the node's end", () => (running([pid]).length === 0 ? true : undefined));
  let answer = "";
  const ask = async (): Promise<void> => {
    try {
      answer = await (await fetch(`http://${ingress}`)).text();
    } catch (error) {
      answer = String(error); // nobody listens there yet
    }
  };
  await eventually("the node again", () => {
    void ask();
    return answer === "n1" ? true : undefined;
  });
  assert.deepEqual(readReady(mesh.readyFile), before);
  limitFiles("unlimited");
  const after = await eventually("a ready file of now", () => {
    const now = readReady(mesh.readyFile);
    return now === undefined || pidsOf(now).includes(pid) || pidsOf(now).includes(0) ? undefined : now;
  });
  await eventually("a list of processes of now", () => {
    const list: ProcessRecord[] = JSON.parse(readFileSync(processesFile(folder.path), "utf8"));
    return list.some((one) => one.pid === after.nodes[0]?.pid) ? true : undefined;
  });
  const [again] = after.nodes;
  assert.ok(again !== undefined);
  process.kill(again.pid, "SIGKILL");
  await eventually(
    "what the log lacks",
    () => /\d+ lines before could not be written/.exec(logOf("n1")) ?? undefined,
  );
  mesh.process.kill("SIGTERM");
  assert.equal(await mesh.ended, 0);
  const said = await mesh.stderr;
  for (const name of ["processes", "ready"])
    assert.match(said, new RegExp(`${name}\\.json cannot be written and is tried again: EFBIG`));
});

test("a disk that is full already is an error at the start", () => {
  using folder = temporaryFolder();
  const mesh = fileURLToPath(new URL("../../test/stand-in-mesh.ts", import.meta.url));
  const command = ["--fsize=0", process.execPath, mesh, folder.path, join(folder.path, "ready.json")];
  const { status, stderr } = spawnSync("prlimit", command, { encoding: "utf8" });
  assert.equal(status, 1);
  assert.match(stderr, /^\S+\/\.gitignore cannot be written: EFBIG: file too large; make room .*\n$/);
});

test("a start ends what an earlier one left behind", async () => {
  using folder = temporaryFolder();
  const leftover = spawn("sleep", ["60"], { detached: true });
  const pid = leftover.pid ?? 0;
  const died = once(leftover, "exit");
  const left: ProcessRecord[] = [{ name: "nats", pid, command: commandOf(pid) ?? "" }];
  writeFileSync(processesFile(folder.path), JSON.stringify(left));
  await using mesh = startMesh(folder.path);
  await ready(mesh);
  assert.deepEqual(await died, [null, "SIGKILL"]);
  mesh.process.kill("SIGTERM");
  assert.match(await mesh.stderr, /^ended 1 processes that an earlier start left in /);
});

test("files that a crash or a full disk left empty keep nobody from starting", async () => {
  using folder = temporaryFolder();
  for (const name of ["lock", "processes.json", "supervisor.json", "nats.login", "nats.conf"])
    writeFileSync(join(folder.path, name), "");
  await using mesh = startMesh(folder.path);
  assert.equal(running(pidsOf(await ready(mesh))).length, 5);
});

test("a data directory has one mesh: a second start is refused, and nobody else on the machine gets at its store", async (context) => {
  using folder = temporaryFolder();
  const dataDir = join(folder.path, "data");
  await using mesh = startMesh(dataDir);
  const file = await ready(mesh);

  await context.test("a second start disturbs nothing", async () => {
    await using second = startMesh(dataDir, { readyFile: join(folder.path, "second.json") });
    assert.equal(await second.ended, 1);
    assert.match(
      await second.stderr,
      new RegExp(`^data directory \\S+ is in use by process ${mesh.process.pid}; .*--data-dir\n$`),
    );
    assert.equal(running(pidsOf(file)).length, 5);
  });

  await context.test(
    "the store has a login of its own, shown in no argument, and all files are private",
    async () => {
      const { username, password, port } = new URL(file.nats.url);
      assert.equal(readFileSync(join(dataDir, "nats.login"), "utf8"), `${username}:${password}\n`);
      const arguments_ = running(pidsOf(file));
      assert.equal(arguments_.length, 5);
      assert.deepEqual(
        arguments_.filter((line) => line.includes(password)),
        [],
      );
      const modes = [
        dataDir,
        mesh.readyFile,
        ...["nats.conf", "nats.login"].map((name) => join(dataDir, name)),
      ].map((path) => (statSync(path).mode & 0o777).toString(8));
      assert.deepEqual(modes, ["700", "600", "600", "600"]);
      assert.match(await says(Number(port), "CONNECT {}\r\nPING\r\n"), /Authorization Violation/);
      const login = JSON.stringify({ user: username, pass: password });
      assert.match(await says(Number(port), `CONNECT ${login}\r\nPING\r\n`), /PONG/);
    },
  );
});

/** What a server on the port has said once it answers PING or refuses. */
async function says(port: number, words: string): Promise<string> {
  const socket = connect(port, loopback);
  socket.write(words);
  let said = "";
  for await (const chunk of socket) {
    said += String(chunk);
    if (/PONG|-ERR/.test(said)) break;
  }
  return said;
}

test("a port in use is refused with the port and the flag", async () => {
  using folder = temporaryFolder();
  const [port = 0] = await freePorts(1);
  const holder = createServer().listen(port, loopback);
  try {
    await using mesh = startMesh(folder.path, { port });
    assert.equal(await mesh.ended, 1);
    assert.match(
      await mesh.stderr,
      new RegExp(`^port ${port} is in use; .*--ingress-port \\(0 = any free port\\)\n$`),
    );
  } finally {
    holder.close();
  }
});

test("a child that refuses its flags, or a file they name, ends the mesh the first time", async () => {
  using folder = temporaryFolder();
  await using mesh = startMesh(folder.path, { fail: "n2:2" });
  assert.equal(await mesh.ended, 1);
  const log = join(folder.path, "logs", "n2.log");
  assert.equal(
    await mesh.stderr,
    `n2 refused to start (it ended with code 2), see ${log}; it said: cannot open the log: no such stream\n`,
  );
});

test("a child that keeps failing ends the mesh with one line that has its last words", async () => {
  using folder = temporaryFolder();
  await using mesh = startMesh(folder.path, { fail: "n2:3" });
  assert.equal(await mesh.ended, 1);
  const log = join(folder.path, "logs", "n2.log");
  assert.equal(
    await mesh.stderr,
    `n2 failed 5 times in 10 s (it ended with code 3), see ${log}; it said: cannot open the log: no such stream\n`,
  );
  assert.deepEqual(JSON.parse(readFileSync(processesFile(folder.path), "utf8")), []);
  assert.equal(lockHolder(folder.path), undefined);
});
