import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { freePort, leakCheck, startNats, startProcess, waitUntil } from "./index.ts";

test("a nats-server starts on a port of its own choice and keeps it over kill -9 and restart", async () => {
  const nothingLeaked = leakCheck();
  await using nats = await startNats();
  const firstPid = nats.pid();
  await nats.kill9();
  await nats.restart();
  assert.notEqual(nats.pid(), firstPid);
  const client = await nats.connect();
  assert.equal(client.info?.version, "2.15.1");
  assert.equal(client.info?.max_payload, 8 * 1024 * 1024);
  await client.close();
  await nats.stop();
  await nothingLeaked();
});

test("a process that ends before it is ready fails with what it wrote", async () => {
  const started = startProcess({
    command: process.execPath,
    args: ["-e", "console.error('no such luck'); process.exit(3)"],
    ready: () => false,
  });
  await assert.rejects(started, /no such luck/);
});

test("a command that does not exist fails at once and says so", async () => {
  await assert.rejects(startProcess({ command: "/no/such/command", ready: () => false }), /ENOENT/);
});

test("waiting for what never happens names it and the time", async () => {
  await assert.rejects(
    waitUntil(() => false, "pigs fly", 20),
    /waited 20 ms in vain until pigs fly/,
  );
});

test("an open socket, an open timer and a running process are leaks", async () => {
  const nothingLeaked = leakCheck();
  const port = await freePort();
  const server = createServer().listen(port, "127.0.0.1");
  const socket = connect(port, "127.0.0.1");
  const timer = setTimeout(() => {}, 60_000);
  const child = await startProcess({ command: "sleep", args: ["60"], ready: () => true });
  await assert.rejects(nothingLeaked(), /TCPS.*Timeout.*process \d+ runs/);
  clearTimeout(timer);
  socket.destroy();
  server.close();
  await child.stop();
  await nothingLeaked();
});
