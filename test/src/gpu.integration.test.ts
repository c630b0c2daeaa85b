// Nodes with declared GPUs, without Envoy: what a node's own ingress does with sessions that need a device.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { fromBinary } from "@bufbuild/protobuf";
import type { Msg } from "@nats-io/transport-node";
import { ReportSchema } from "@voda/proto/node";
import { sessionToken } from "@voda/proto/session";
import { reportSubject } from "@voda/proto/wire";
import { connectApi } from "../../cli/src/api.ts";
import {
  type Cluster,
  type ClusterNode,
  call,
  programs,
  refusal,
  startCluster,
  startProcess,
  waitUntil,
} from "./kit/index.ts";

const config = fileURLToPath(new URL("./agents/gpu.config.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "voda-gpus-"));
const file = join(folder, "gpus.json");
let cluster: Cluster;

before(async () => {
  writeFileSync(
    file,
    JSON.stringify([{ uuid: "GPU-a", model: "H200", memoryMib: 143_771, vendor: "nvidia" }]),
  );
  cluster = await startCluster({
    nodes: 2,
    config,
    // Grants go by the store's clock, whatever the clocks of the machines say.
    wallAheadMs: { n1: 660_000, n2: -3_000, controlplane: -3_600_000 },
    nodeFlags: ["--gpus", file, "--zone", "eu-1", "--disk-mib", "4096"],
  });
});
after(async () => {
  await cluster[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test("without a grant no session opens on a GPU, at whichever node; one that is open is reached through every node", async () => {
  for (const { url } of cluster.nodes) {
    const refused = await call(url, "model/k/add", { input: 1 });
    assert.deepEqual([refused.status, refusal(refused).reason], [429, "no_capacity"]);
    assert.match(
      refusal(refused).message ?? "",
      /needs a GPU, which only a placement of the control plane gives/,
    );
  }
  await connectApi(cluster.apiUrl).sessions.wakeSession({ session: { agent: "model", key: "k" } });
  for (const { url } of cluster.nodes)
    assert.equal((await call(url, "model/k/add", { input: 1 })).status, 200);
  assert.equal((await call((cluster.nodes[0] as ClusterNode).url, "model/k/get")).body, 2);
});

test("a node tells the control planes of a session that it refused, so that they do not send it there again", async () => {
  const connection = await cluster.nats.connect();
  const refused: string[] = [];
  const callback = (_: Error | null, { data }: Msg): void =>
    void refused.push(...fromBinary(ReportSchema, data).deactivated);
  connection.subscribe(reportSubject("*"), { callback });
  await connection.flush();
  assert.equal(
    (await call((cluster.nodes[0] as ClusterNode).url, "model/refused/add", { input: 1 })).status,
    429,
  );
  const token = sessionToken({ namespace: "default", agent: "model", key: "refused" });
  await waitUntil(() => refused.includes(token), "the refusal is reported");
  await connection.close();
});

test("the control plane lists the zone and the disk that a node names", async () => {
  const { nodes } = await connectApi(cluster.apiUrl).nodes.listNodes({});
  assert.deepEqual(
    nodes.map(({ zone, capacity }) => [zone, capacity?.diskMib]),
    [
      ["eu-1", 4096],
      ["eu-1", 4096],
    ],
  );
});

test("the node says what a session holds, and the environment for a process that works for it", () => {
  const output = cluster.nodes.map((node) => node.process().output()).join("");
  assert.match(output, /"devices":\[\{"uuid":"GPU-a","whole":false,"milli":500,"memoryMib":1000\}\]/);
  assert.match(
    output,
    /"CUDA_VISIBLE_DEVICES":"GPU-a".*"CUDA_MPS_PINNED_DEVICE_MEM_LIMIT":"0=1000M".*session holds devices/,
  );
});

test("a node whose file of GPUs is wrong does not start and says where it is wrong", async () => {
  const wrong = join(folder, "wrong.json");
  writeFileSync(wrong, JSON.stringify([{ uuid: "GPU-a", model: "H200", memoryMib: 0, vendor: "nvidia" }]));
  const flags = [
    "--nats",
    cluster.nats.url,
    "--node-id",
    "n9",
    "--data-dir",
    join(folder, "n9"),
    "--gpus",
    wrong,
  ];
  await assert.rejects(
    startProcess({
      command: process.execPath,
      args: [programs().node, ...flags],
      ipc: true,
      ready: (_, told) => told !== undefined,
    }),
    /voda node: --gpus: .*wrong.json: entry 1: memoryMib is not 1 to gpuMemoryMibMax 16777216: 0/,
  );
});
