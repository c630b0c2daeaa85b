// What of a whole mesh other users of the machine can reach, and what goes on while no control plane lives.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { after, before, test } from "node:test";
import { passesToNode } from "../../../cli/src/up/readiness.ts";
import { freeze, pidsOf, type RunningMesh, signal, startMesh, waitUntil } from "../kit/index.ts";

let mesh: RunningMesh;
before(async () => {
  mesh = await startMesh();
});
after(() => mesh[Symbol.asyncDispose]());

test("a mesh listens on the loopback only, on ports that ask for a login or are made for callers", {
  skip: !existsSync("/proc/net/tcp"),
}, () => {
  const { ingress, nats, envoy, controlplanes, nodes } = mesh.describe();
  const portOf = (url: string): string => `127.0.0.1:${new URL(url).port}`;
  const allowed = {
    [nats.pid]: [portOf(nats.url)], // asks for the login of the mesh, which is in a file of mode 0600
    [envoy.pid]: [portOf(ingress)], // for callers: Host and Origin are looked at
    ...Object.fromEntries(nodes.map((node) => [node.pid, [node.ingress]])), // the same rules as at Envoy
    [controlplanes[0]?.pid ?? 0]: [], // xDS, with the edge's secret, API and picker are unix sockets
    [mesh.supervisor.pid]: [],
  };
  const found = Object.fromEntries(
    [...pidsOf(mesh.describe()), mesh.supervisor.pid].map((pid) => [pid, portsOf(pid)]),
  );
  assert.deepEqual(found, allowed);
});

test("Envoy starts and serves while no control plane can, and the next one takes over", async () => {
  const { nats, envoy, controlplanes } = mesh.describe();
  await freeze(nats.pid); // without it no control plane starts
  try {
    signal(controlplanes[0]?.pid, "SIGKILL");
    signal(envoy.pid, "SIGKILL");
    await waitUntil(
      () => ![0, envoy.pid].includes(mesh.describe().envoy.pid),
      "Envoy is ready without a control plane",
    );
    await waitUntil(() => passesToNode(mesh.url), "calls pass to a node");
  } finally {
    signal(nats.pid, "SIGCONT");
  }
  const add = () =>
    fetch(`${mesh.url}/agents/counter/border/add`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "1",
    });
  await waitUntil(async () => (await add()).status === 200, "calls are answered");
  const list = () =>
    fetch(`${mesh.url}/voda.api.v1.NodeService/ListNodes`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
  await waitUntil(async () => (await list()).status === 200, "the next control plane answers");
});

const listening = "0A";

/** `ip:port` of what a process listens on, as `ss -ltnp` shows it. */
function portsOf(pid: number): string[] {
  const sockets = new Set(
    readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return ""; // closed meanwhile
      }
    }),
  );
  return ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "utf8")
      .split("\n")
      .slice(1)
      .flatMap((line) => {
        const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
        return state === listening && sockets.has(`socket:[${inode}]`) ? [addressOf(local)] : [];
      }),
  );
}

/** The kernel writes the four bytes of an IPv4 address as one number of this machine's order. */
function addressOf(local: string): string {
  const [host = "", port = ""] = local.split(":");
  const ip =
    host.length > 8
      ? host
      : (host.match(/../g) ?? [])
          .reverse()
          .map((byte) => Number.parseInt(byte, 16))
          .join(".");
  return `${ip}:${Number.parseInt(port, 16)}`;
}
