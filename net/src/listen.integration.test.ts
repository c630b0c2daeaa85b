import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { clearSocket, listenOnSocket } from "./listen.ts";

const folder = mkdtempSync(join(tmpdir(), "voda-net-"));
after(() => rmSync(folder, { recursive: true }));

test("the socket of a server that was killed is taken over, that of one that lives is not", async () => {
  const path = join(folder, "s.sock");
  const killed = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  assert.equal(spawnSync(process.execPath, ["-e", killed]).signal, "SIGKILL");
  assert.equal(existsSync(path), true);

  // Who looks whether somebody is there hangs up at once.
  const server = createServer((socket) => socket.on("error", () => undefined).end("first"));
  await listenOnSocket(server, path);
  await assert.rejects(listenOnSocket(createServer(), path), /another program listens on \S+s\.sock/);
  const [said] = (await once(connect(path), "data")) as [Buffer];
  assert.equal(String(said), "first");
  server.close();
});

test("what is there and is no socket is left alone", async () => {
  const path = join(folder, "notes.sock");
  writeFileSync(path, "mine");
  await assert.rejects(listenOnSocket(createServer(), path), /notes\.sock is no socket and is left as it is/);
  assert.equal(readFileSync(path, "utf8"), "mine");
});

test("the socket of a server that is stopped is left alone, however many wait for it", async (t) => {
  const path = join(folder, "stopped.sock");
  const listens = `require("node:net").createServer().listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => process.stdout.write("listens"))`;
  const server = spawn(process.execPath, ["-e", listens], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => server.kill("SIGKILL"));
  await once(server.stdout, "data");
  server.kill("SIGSTOP");
  // They wait in the server's backlog until one finds it full.
  for (let isFull = false; !isFull; ) {
    const socket = connect(path);
    t.after(() => socket.destroy());
    isFull = await once(socket, "connect").then(
      () => false,
      () => true,
    );
  }
  await assert.rejects(clearSocket(path), /another program listens on \S+stopped\.sock/);
  assert.equal(existsSync(path), true);
});
