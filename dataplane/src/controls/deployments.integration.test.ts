import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { create, toJsonString } from "@bufbuild/protobuf";
import { type KV, Kvm } from "@nats-io/kv";
import { type ObjectStore, Objm } from "@nats-io/obj";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { AgentSchema } from "@voda/proto/api";
import { agentsBucket, blobsBucket } from "@voda/proto/wire";
import { type Nats, startNats, waitUntil } from "@voda/test/kit";
import pino from "pino";
import { watchDeployments } from "./deployments.ts";

const utf8 = new TextEncoder();
let nats: Nats;
before(async () => {
  nats = await startNats();
});
after(() => nats.stop());

describe("deployments", () => {
  let connection: NatsConnection;
  let agents: KV;
  let blobs: ObjectStore;
  let folder: string;
  let lines: string[];
  let deployed: string[];
  let onDeployed: () => Promise<void>;

  beforeEach(async () => {
    connection = await connect({ servers: nats.url });
    agents = await new Kvm(connection).create(agentsBucket);
    blobs = await new Objm(connection).create(blobsBucket);
    folder = mkdtempSync(join(tmpdir(), "voda-deployments-"));
    lines = [];
    deployed = [];
    onDeployed = () => Promise.resolve();
  });
  afterEach(async () => {
    await agents.destroy();
    await blobs.destroy();
    await connection.close();
    rmSync(folder, { recursive: true });
  });

  const put = async (
    name: string,
    bundle: string,
    more: { blob?: string | undefined } = { blob: bundle },
  ): Promise<string> => {
    const revision = hash("sha256", bundle);
    if (more.blob !== undefined) await blobs.putBlob({ name: revision }, utf8.encode(more.blob));
    await agents.put(`default.${name}`, toJsonString(AgentSchema, create(AgentSchema, { name, revision })));
    return revision;
  };
  const watch = (): Promise<AsyncDisposable> =>
    watchDeployments({
      connection,
      folder,
      log: pino({ level: "info" }, { write: (line: string) => void lines.push(line) }),
      async onDeployed(agent, file) {
        await onDeployed();
        deployed.push(`${agent.name}: ${readFileSync(file, "utf8")}`);
      },
    });

  test("an empty bucket is caught up at once, and what comes later is deployed", async () => {
    await using _ = await watch();
    await put("cart", "export default 1");
    await waitUntil(() => deployed.length === 1, 3_000, "the agent comes");
    assert.deepEqual(deployed, ["cart: export default 1"]);
  });

  test("everything that was deployed before is there when it resolves, in its last revision", async () => {
    await put("cart", "one");
    await put("cart", "two");
    await put("shop", "three");
    await using _ = await watch();
    assert.deepEqual(deployed.toSorted(), ["cart: two", "shop: three"]);
  });

  test("a bundle whose bytes are not those of its name, or that is missing, leaves the revision before it", async () => {
    await put("cart", "good");
    await using _ = await watch();
    const forged = await put("cart", "wanted", { blob: "something else" });
    await put("cart", "missing", { blob: undefined });
    await agents.put("default.cart", "{");
    await put("shop", "next");
    await waitUntil(() => deployed.length === 2, 3_000, "the one after them comes");
    assert.deepEqual(deployed, ["cart: good", "shop: next"]);
    assert.equal(lines.filter((line) => line.includes("agent not deployed")).length, 3);
    assert.equal(existsSync(join(folder, `${forged}.mjs`)), false);
  });

  test("an agent that cannot be run is told and the next one is deployed", async () => {
    onDeployed = () => Promise.reject(new Error("does not load"));
    await put("cart", "bad");
    await using _ = await watch();
    onDeployed = () => Promise.resolve();
    await put("cart", "better");
    await waitUntil(() => deployed.length === 1, 3_000, "the next one comes");
    assert.ok(lines.some((line) => line.includes("does not load")));
  });

  test("a bundle that is on disk is not fetched again, half of one is", async () => {
    const whole = hash("sha256", "whole");
    const half = hash("sha256", "half");
    writeFileSync(join(folder, `${whole}.mjs`), "from the disk");
    writeFileSync(join(folder, `${half}.mjs.part`), "ha");
    await put("a", "whole", { blob: undefined });
    await put("b", "half");
    await using _ = await watch();
    assert.deepEqual(deployed, ["a: from the disk", "b: half"]);
  });
});
