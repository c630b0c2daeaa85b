// The supervisor with a real nats-server, a real Envoy and stand-ins for voda's own programs.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { lockFile, processesFile } from "./mesh.ts";
import { freePorts, loopback } from "./ports.ts";
import { commandOf, type ProcessRecord, writeProcesses } from "./processes.ts";
import type { ReadyFile } from "./ready-file.ts";
import { eventually, readReady, type Started, startMesh, temporaryFolder } from "./testdata/start.ts";

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

test("every child that is killed serves again under a new pid and its old port", async () => {
  using folder = temporaryFolder();
  await using mesh = startMesh(folder.path);
  let file = await ready(mesh);
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
  assert.equal((await fetch(`${file.envoy.adminUrl}/ready`)).status, 200);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`${signal} ends everything with exit code 0, and a second start works`, async () => {
    using folder = temporaryFolder();
    for (let start = 0; start < 2; start += 1) {
      await using mesh = startMesh(folder.path);
      const pids = pidsOf(await ready(mesh));
      assert.equal(running(pids).length, 5);
      mesh.process.kill(signal);
      assert.equal(await mesh.ended, 0);
      assert.deepEqual(running(pids), []);
      const records: ProcessRecord[] = JSON.parse(readFileSync(processesFile(folder.path), "utf8"));
      assert.deepEqual(records, []);
    }
  });
}

test("no child outlives a supervisor that is killed", async () => {
  using folder = temporaryFolder();
  await using mesh = startMesh(folder.path);
  const pids = pidsOf(await ready(mesh));
  mesh.process.kill("SIGKILL");
  assert.equal(await mesh.ended, "SIGKILL");
  await eventually("all children gone", () => (running(pids).length === 0 ? true : undefined));
  await using next = startMesh(folder.path); // its lock and its ports are free
  assert.equal(running(pidsOf(await ready(next))).length, 5);
});

test("a start ends what an earlier one left behind", async () => {
  using folder = temporaryFolder();
  const leftover = spawn("sleep", ["60"], { detached: true });
  const pid = leftover.pid ?? 0;
  const died = once(leftover, "exit");
  writeProcesses(processesFile(folder.path), [{ name: "nats", pid, command: commandOf(pid) ?? "" }]);
  await using mesh = startMesh(folder.path);
  await ready(mesh);
  assert.deepEqual(await died, [null, "SIGKILL"]);
  mesh.process.kill("SIGTERM");
  assert.match(await mesh.stderr, /^ended 1 processes that an earlier start left in /);
});

test("a second start on the same data directory is refused and disturbs nothing", async () => {
  using folder = temporaryFolder();
  await using mesh = startMesh(folder.path);
  const pids = pidsOf(await ready(mesh));
  await using second = startMesh(folder.path);
  assert.equal(await second.ended, 1);
  assert.match(
    await second.stderr,
    new RegExp(`^this data directory is in use by process ${mesh.process.pid} .*--data-dir\n$`),
  );
  assert.equal(running(pids).length, 5);
});

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
  assert.throws(() => readFileSync(lockFile(folder.path)), { code: "ENOENT" });
});
