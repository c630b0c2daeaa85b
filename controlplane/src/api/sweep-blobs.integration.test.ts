// What a control plane that is killed in the middle of a deployment leaves, and how it goes.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { after, before, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { AgentSchema, AgentService } from "@voda/proto/api";
import { TrialResultSchema, TrialSchema } from "@voda/proto/node";
import { agentsBucket, blobsBucket, trialSubject } from "@voda/proto/wire";
import { type Nats, programs, startNats, startProcess, waitUntil } from "@voda/test/kit";
import { edgeDir } from "../../test/test-control-plane.ts";
import { orphanMsMin, sweepBlobs } from "./sweep-blobs.ts";

const { controlplane: main } = programs();
const folder = edgeDir();
let nats: Nats;
let connection: NatsConnection;

before(async () => {
  nats = await startNats();
  connection = await nats.connect();
});
after(async () => {
  await nats.stop();
  rmSync(folder, { recursive: true });
});

/** Nobody says of the second agent whether it runs: its deployment stays in the middle. */
const slow = "slow";

test("what is left of a deployment whose control plane was killed goes once it is old, and nothing else", async () => {
  connection.subscribe(trialSubject, {
    callback: (_, message) => {
      const isSlow = fromBinary(TrialSchema, message.data).agents.some(({ name }) => name === slow);
      if (!isSlow) message.respond(toBinary(TrialResultSchema, create(TrialResultSchema, { node: "n" })));
    },
  });
  const program = await startProcess({
    command: process.execPath,
    args: [main, "--nats", nats.url, "--edge-dir", folder],
    ipc: true,
    ready: (_, told) => told !== undefined,
  });
  const { api } = program.told() as { readonly api: string };
  const transport = createConnectTransport({
    baseUrl: "http://localhost",
    httpVersion: "1.1",
    nodeOptions: { socketPath: api },
  });
  const agents = createClient(AgentService, transport);
  const deploy = (name: string): Promise<unknown> => {
    const bundle = new TextEncoder().encode(name);
    const common = { revision: revisionOf(name), idleMs: 60_000, turnMsMax: 10_000, queueMax: 100 };
    return agents.deployAgents({ bundle, agents: [create(AgentSchema, { name, ...common })] });
  };
  const blobs = await new Objm(connection).open(blobsBucket);
  await deploy("good");
  await deploy("left");
  await agents.undeployAgent({ name: "left" });
  const broken = deploy(slow).catch(() => "broken off");
  await waitUntil(async () => (await blobs.info(revisionOf(slow))) !== null, "its bundle is stored");
  await program.kill9();
  assert.equal(await broken, "broken off");
  // One that was killed while it uploaded: chunks, and nothing that names them.
  const js = jetstream(connection);
  await js.publish(`$O.${blobsBucket}.C.halfAnUpload`, "chunk");

  const definitions = await new Kvm(js).open(agentsBucket);
  const jsm = await jetstreamManager(connection);
  const sweepAfter = (ms: number): Promise<number> =>
    sweepBlobs({ jsm, definitions, blobs, storeMs: () => Date.now() + ms });
  assert.equal(await sweepAfter(orphanMsMin - 60_000), 0);
  assert.notEqual(await blobs.info(revisionOf(slow)), null);
  // The bundle, the upload, and the mark of the agent that was undeployed.
  assert.equal(await sweepAfter(orphanMsMin + 1_000), 3);
  assert.equal((await blobs.info(revisionOf(slow)))?.deleted, true);
  assert.equal(await sweepAfter(orphanMsMin + 1_000), 1);
  const { state } = await jsm.streams.info(`OBJ_${blobsBucket}`, { subjects_filter: ">" });
  assert.equal(Object.keys(state.subjects ?? {}).length, 2);
  assert.equal(new TextDecoder().decode((await blobs.getBlob(revisionOf("good"))) ?? undefined), "good");
});

function revisionOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
