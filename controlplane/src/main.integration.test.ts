import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { freePort, type Nats, startNats, startProcess, waitUntil } from "@voda/test/kit";
import { TestNode } from "../test/test-node.ts";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));
let nats: Nats;

before(async () => {
  nats = await startNats();
});
after(() => nats.stop());

interface Ready {
  readonly ready: true;
  readonly api: string;
  readonly picker: string;
}
async function start(...flags: string[]) {
  const args = [main, "--nats", nats.url, ...flags];
  const program = await startProcess({
    command: process.execPath,
    args,
    ipc: true,
    ready: (_, told) => told !== undefined,
  });
  return { program, ready: program.told() as Ready };
}
async function fails(...flags: string[]): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, [main, ...flags], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, "close")) as [number];
  return { code, output };
}

test("the program makes the streams, says where it is, serves and stops cleanly", async () => {
  const { program, ready } = await start();
  await using connection = {
    nats: await connect({ servers: nats.url }),
    [Symbol.asyncDispose]: () => connection.nats.close(),
  };
  const streams = await (await jetstreamManager(connection.nats)).streams.names().next();
  assert.deepEqual(streams.toSorted(), [
    "KV_voda_agents",
    "KV_voda_keys",
    "KV_voda_nodes",
    "KV_voda_quotas",
    "OBJ_voda_blobs",
    "VODA_LOG_0",
    "VODA_SNAP_0",
  ]);
  const listed = await fetch(`http://${ready.api}/voda.api.v1.NodeService/ListNodes`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  assert.deepEqual(await listed.json(), {});
  assert.equal((await fetch(`http://${ready.picker}/pick/agents/a/b/c`)).status, 200);
  program.signal("SIGTERM");
  assert.equal(await program.exited, 0);
});

test("a control plane that was killed starts again on the same ports", async () => {
  const [api, picker] = [await freePort(), await freePort()];
  const flags = ["--api-port", String(api), "--picker-port", String(picker)];
  for (let i = 0; i < 2; i += 1) {
    const { program, ready } = await start(...flags);
    assert.deepEqual([ready.api, ready.picker], [`127.0.0.1:${api}`, `127.0.0.1:${picker}`]);
    await program.kill9();
  }
});

test("a wrong flag, a port in use and a missing nats-server are named", async () => {
  const flag = await fails("--nats", nats.url, "--shards", "7");
  assert.deepEqual([flag.code, /Unknown option '--shards'/.test(flag.output)], [2, true]);
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const address = taken.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const used = await fails("--nats", nats.url, "--api-port", String(port));
  assert.equal(used.code, 1);
  assert.match(used.output, new RegExp(`EADDRINUSE.*127.0.0.1:${port}`));
  taken.close();
  const away = await fails("--nats", `nats://127.0.0.1:${await freePort()}`);
  assert.equal(away.code, 1);
  assert.match(away.output, /no nats-server answers at nats:\/\/127.0.0.1:\d+; start one/);
});

test("it goes on after nats-server was killed and started again", async () => {
  const { program, ready } = await start();
  await nats.kill9();
  await nats.restart();
  await using node = await TestNode.open({ nats: nats.url, id: "n1" });
  node.activate({ namespace: "default", agent: "counter", key: "k" });
  const owner = async () =>
    (await fetch(`http://${ready.picker}/pick/agents/counter/k/get`)).headers.get("owner");
  await waitUntil(async () => (await owner()) === node.ingress, "the new node's report has come");
  await program.stop();
});
