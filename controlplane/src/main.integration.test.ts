import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { after, before, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { freePort, type Nats, openRelay, programs, startNats, startProcess, waitUntil } from "@voda/test/kit";
import { edgeDir } from "../test/test-control-plane.ts";
import { TestNode } from "../test/test-node.ts";

const { controlplane: main } = programs();
let nats: Nats;

before(async () => {
  nats = await startNats();
});
after(() => nats.stop());

interface Ready {
  readonly ready: true;
  readonly api: string;
  readonly picker: string;
  readonly xds: string;
}
async function start(...flags: string[]) {
  const args = [
    main,
    "--nats",
    nats.url,
    ...(flags.includes("--edge-dir") ? flags : [...flags, "--edge-dir", edgeDir()]),
  ];
  const program = await startProcess({
    command: process.execPath,
    args,
    ipc: true,
    ready: (_, told) => told !== undefined,
  });
  const sockets = program.told() as Ready;
  const relays = await Promise.all([openRelay(sockets.api), openRelay(sockets.picker)]);
  void program.exited.then(() => Promise.all(relays.map((relay) => relay[Symbol.asyncDispose]())));
  return { program, sockets, ready: { api: relays[0].address, picker: relays[1].address } };
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
  const connection = await nats.connect();
  const streams = await (await jetstreamManager(connection)).streams.names().next();
  assert.deepEqual(streams.toSorted(), [
    "KV_voda_agents",
    "KV_voda_keys",
    "KV_voda_nodes",
    "KV_voda_quotas",
    "OBJ_voda_blobs",
    "VODA_LOG_0",
    "VODA_MARK_0",
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

test("nobody but its own user reaches xDS, the API and the picker", async () => {
  const { program, sockets } = await start();
  const { api, picker, xds } = sockets;
  assert.equal(statSync(dirname(xds)).mode & 0o777, 0o700);
  assert.ok([api, picker].every((path) => dirname(path) === dirname(xds)));
  const code = `for (const path of process.argv.slice(1))
    require("node:net").connect(path)
      .on("connect", () => console.log("open")).on("error", (error) => console.log(error.code))`;
  // Only root may become somebody else to try it.
  if (process.getuid?.() === 0) {
    const nobody = spawnSync(process.execPath, ["-e", code, api, picker, xds], { uid: 65_534, cwd: "/" });
    assert.equal(String(nobody.stdout), "EACCES\n".repeat(3), String(nobody.stderr));
  }
  await program.stop();
});

test("a control plane takes the folder of one that was killed, and not of one that lives", async () => {
  const flags = ["--edge-dir", edgeDir()];
  const killed = await start(...flags);
  await killed.program.kill9();
  const { program, ready } = await start(...flags);
  assert.equal((await fetch(`http://${ready.picker}/pick/agents/a/b/c`)).status, 200);
  const second = await fails("--nats", nats.url, ...flags);
  assert.deepEqual([second.code, /another program listens on \S+picker.sock/.test(second.output)], [1, true]);
  await program.stop();
});

test("a wrong flag, a folder open to others and a missing nats-server are named", async () => {
  const flag = await fails("--nats", nats.url, "--shards", "7");
  assert.deepEqual([flag.code, /Unknown option '--shards'/.test(flag.output)], [2, true]);
  const open = edgeDir();
  chmodSync(open, 0o755);
  const foreign = await fails("--nats", nats.url, "--edge-dir", open);
  assert.equal(foreign.code, 1);
  assert.match(foreign.output, /is open to others \(mode 755\)/);
  const away = await fails("--nats", `nats://127.0.0.1:${await freePort()}`, "--edge-dir", edgeDir());
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
