import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/start.ts";
import { binaries } from "../binaries/locate.ts";
import { run } from "../program.ts";
import { lock } from "../up/lock.ts";
import { processesFile } from "../up/mesh.ts";
import { freePorts, loopback } from "../up/ports.ts";
import { commandOf } from "../up/processes.ts";
import { binaryFinding, leftoversFinding, nodeFinding, portFinding, storeFinding } from "./checks.ts";

test("an old Node is refused with the version that is needed", () => {
  assert.deepEqual(nodeFinding("22.1.0"), {
    name: "node",
    ok: false,
    found: "22.1.0",
    fix: "install Node 24 or newer",
  });
  assert.equal(nodeFinding("26.10.0").ok, true);
});

test("a variable that names another version is refused, and the fix names the variable", () => {
  const [envoy] = binaries;
  assert.ok(envoy !== undefined);
  process.env["VODA_ENVOY"] = process.execPath; // runs, and says its own version
  try {
    const finding = binaryFinding(envoy);
    assert.equal(finding.ok, false);
    assert.match(finding.found, new RegExp(`^${process.versions.node} \\(variable: `));
    assert.equal(finding.fix, "let VODA_ENVOY name envoy 1.40.0, or unset it");
  } finally {
    delete process.env["VODA_ENVOY"];
  }
});

test("a port in use fails unless the mesh of the folder runs", async () => {
  using folder = temporaryFolder();
  const [port = 0] = await freePorts(1);
  const finding = () => portFinding({ dataDir: folder.path, ingressPort: port });
  assert.equal((await finding()).found, "free");
  const server = createServer().listen(port, loopback);
  await once(server, "listening");
  try {
    assert.match((await finding()).fix ?? "", /--ingress-port 0/);
    using running = lock(folder.path);
    running.serves(`http://${loopback}:${port}`);
    assert.equal((await finding()).ok, true);
    running.serves(`http://${loopback}:1`); // another folder's mesh has the port
    const other = await finding();
    assert.deepEqual(
      [other.ok, other.found],
      [false, "in use by something else; the mesh of this folder is at port 1"],
    );
  } finally {
    server.close();
  }
});

test("processes that a dead supervisor left are found by their command line", async () => {
  using folder = temporaryFolder();
  const child = spawn("sleep", ["60"]);
  try {
    const pid = child.pid ?? 0;
    const left = [
      { name: "nats", pid, command: commandOf(pid) ?? "" },
      { name: "envoy", pid: process.pid, command: "envoy" }, // the id belongs to another program now
    ];
    writeFileSync(processesFile(folder.path), JSON.stringify(left));
    assert.equal(leftoversFinding(folder.path).found, `left over: nats ${pid}`);
  } finally {
    child.kill();
    await once(child, "exit");
  }
  assert.equal(leftoversFinding(folder.path).ok, true);
});

test("a store that is nearly full fails, with how full it is", () => {
  using folder = temporaryFolder();
  assert.equal(storeFinding(folder.path).found, "none yet");
  mkdirSync(join(folder.path, "nats"));
  writeFileSync(join(folder.path, "nats", "1.blk"), Buffer.alloc(850));
  writeFileSync(join(folder.path, "nats.conf"), "max_file_store: 1000");
  const { ok, found } = storeFinding(folder.path);
  assert.deepEqual([ok, found], [false, "85 % full (0.0 of 0.0 MiB)"]);
});

test("the command prints each finding and fails with exit code 1 when one does", async () => {
  using folder = temporaryFolder();
  const [port = 0] = await freePorts(1);
  const doctor = async (...flags: string[]) => {
    const out: string[] = [];
    const args = [
      "doctor",
      "--data-dir",
      join(folder.path, "data"),
      "--ingress-port",
      String(port),
      ...flags,
    ];
    const code = await run(args, { out: (line) => out.push(line), err: (line) => out.push(line) });
    return { code, text: out.join("\n") };
  };
  const startedMs = performance.now();
  const healthy = await doctor("--json");
  const healthyMs = performance.now() - startedMs;
  assert.deepEqual([healthy.code, JSON.parse(healthy.text).findings.length], [0, 9]);
  const server = createServer().listen(port, loopback);
  await once(server, "listening");
  try {
    const ill = await doctor();
    assert.equal(ill.code, 1);
    assert.match(
      ill.text,
      new RegExp(`^fail +port ${port} +in use by something else; stop what uses it`, "m"),
    );
    // it takes connections, and never answers
    mkdirSync(join(folder.path, "data"));
    using running = lock(join(folder.path, "data"));
    running.serves(`http://${loopback}:${port}`);
    const askedMs = performance.now();
    const silent = await doctor();
    const silentMs = performance.now() - askedMs;
    assert.ok(silentMs < 2 * (3_000 + healthyMs), `${silentMs} ms, where one bound of 3 s is for all`);
    assert.match(
      silent.text,
      /^fail +sessions +cannot be looked at: .* does not answer within 3 s; look whether/m,
    );
  } finally {
    server.close();
  }
});
