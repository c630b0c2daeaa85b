import assert from "node:assert/strict";
import { hash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { create, toJsonString } from "@bufbuild/protobuf";
import { type KV, Kvm } from "@nats-io/kv";
import { type ObjectStore, Objm } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { AgentSchema } from "@voda/proto/api";
import { agentsBucket, blobsBucket } from "@voda/proto/wire";
import { type Nats, startNats, waitUntil } from "@voda/test/kit";
import pino from "pino";
import { type Bundles, openBundles } from "./bundles.ts";
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
  let unloadable: string[];
  let onDeployed: (code: string) => Promise<void>;

  beforeEach(async () => {
    connection = await nats.connect();
    agents = await new Kvm(connection).create(agentsBucket);
    blobs = await new Objm(connection).create(blobsBucket);
    folder = mkdtempSync(join(tmpdir(), "voda-deployments-"));
    lines = [];
    deployed = [];
    unloadable = [];
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
  const watch = async (more: Partial<Bundles> = {}): Promise<AsyncDisposable> =>
    watchDeployments({
      connection,
      bundles: { ...(await openBundles(connection, folder)), ...more },
      folder: join(folder, "good"),
      log: pino({ level: "info" }, { write: (line: string) => void lines.push(line) }),
      async onDeployed(agent, file) {
        const code = readFileSync(file, "utf8");
        await onDeployed(code);
        deployed.push(`${agent.name}: ${code}`);
      },
      onUnloadable: (agent, why) => void unloadable.push(`${agent.name}: ${why}`),
      onUndeployed: (namespace, name) => void deployed.push(`${namespace}/${name} is gone`),
    });
  /** What a worker does with code that does not run. */
  const refuseBad = (code: string): Promise<void> =>
    code.startsWith("bad") ? Promise.reject(new Error("does not load")) : Promise.resolve();

  test("an empty bucket is caught up at once, and what comes later is deployed", async () => {
    await using _ = await watch();
    await put("cart", "export default 1");
    await waitUntil(() => deployed.length === 1, "the agent comes");
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
    await waitUntil(() => deployed.length === 2, "the one after them comes");
    assert.deepEqual(deployed, ["cart: good", "shop: next"]);
    const refused = (): number => lines.filter((line) => line.includes("agent not deployed")).length;
    await waitUntil(() => refused() === 3, "each of them is told");
    assert.equal(existsSync(join(folder, `${forged}.mjs`)), false);
  });

  test("an agent that is undeployed is told, also to a node that was away", async () => {
    await put("cart", "one");
    await put("shop", "two");
    await agents.delete("default.cart");
    await using _ = await watch();
    assert.deepEqual(deployed.toSorted(), ["default/cart is gone", "shop: two"]);
    await agents.delete("default.shop");
    await waitUntil(() => deployed.includes("default/shop is gone"), "the other one goes");
  });

  test("an agent that cannot be run is told and the next one is deployed", async () => {
    onDeployed = refuseBad;
    await put("cart", "bad");
    await using _ = await watch();
    assert.deepEqual(unloadable, ["cart: does not load"]);
    await put("cart", "better");
    await waitUntil(() => deployed.length === 1, "the next one comes");
    assert.ok(lines.some((line) => line.includes("does not load")));
  });

  test("agents come side by side: one that hangs while it loads holds up no other", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    onDeployed = (code) => (code === "slow" ? promise : Promise.resolve());
    await using _ = await watch();
    await put("a", "slow");
    await put("b", "quick");
    await waitUntil(() => deployed.length === 1, "the quick one comes");
    assert.deepEqual(deployed, ["b: quick"]);
    resolve();
    await waitUntil(() => deployed.length === 2, "the slow one comes");
  });

  test("after a restart the last revision that ran stays in the place of one that does not load", async () => {
    onDeployed = refuseBad;
    await put("cart", "good");
    await (await watch())[Symbol.asyncDispose]();
    await put("cart", "bad one");
    deployed = [];
    await using _ = await watch();
    assert.deepEqual(deployed, ["cart: good"]);
    assert.deepEqual(unloadable, []);
    await put("cart", "good again");
    await waitUntil(() => deployed.length === 2, "a better one comes");
  });

  test("at a start no agent that is done takes away what another one goes back to", async () => {
    const good = await put("slow", "good");
    await (await watch())[Symbol.asyncDispose]();
    await put("slow", "bad");
    await put("quick", "one");
    await blobs.delete(good);
    const hourAgo = new Date(Date.now() - 3_600_000);
    utimesSync(join(folder, `${good}.mjs`), hourAgo, hourAgo);
    onDeployed = async (code) => {
      if (code === "bad")
        await waitUntil(() => lines.some((line) => line.includes("quick")), "the quick one is done");
      await refuseBad(code);
    };
    await using _ = await watch();
    assert.deepEqual(deployed, ["slow: good", "quick: one", "slow: good"]);
  });

  test("a bundle on disk is used while it has its hash, and fetched again when it is cut, changed or half written", async () => {
    const revisions = ["whole", "cut", "half"].map((text) => hash("sha256", text));
    const [whole, cut, half] = revisions;
    writeFileSync(join(folder, `${whole}.mjs`), "whole");
    writeFileSync(join(folder, `${cut}.mjs`), "cu");
    writeFileSync(join(folder, `${half}.mjs.part`), "ha");
    await put("a", "whole", { blob: undefined });
    await put("b", "cut");
    await put("c", "half");
    await using _ = await watch();
    assert.deepEqual(deployed.toSorted(), ["a: whole", "b: cut", "c: half"]);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.endsWith(".part")),
      [],
    );
  });

  test("a disk that refuses the sweep, or to keep a revision, is told as that: the agent is deployed", async () => {
    await using _ = await watch({ keepOnly: () => Promise.reject(new Error("EIO")) });
    mkdirSync(join(folder, "good", "default.cart.json"));
    await put("cart", "one");
    const told = (text: string): boolean => lines.some((line) => line.includes(text));
    await waitUntil(() => told('"agent deployed"'), "it is told");
    assert.deepEqual([deployed, unloadable], [["cart: one"], []]);
    assert.ok(!told("not deployed"));
    assert.ok(told("EIO") && told("EISDIR"), lines.join(""));
  });

  test("bundles that no agent needs are removed at a start", async () => {
    await put("a", "one");
    await (await watch())[Symbol.asyncDispose]();
    const next = await put("a", "two");
    await using _ = await watch();
    assert.deepEqual(bundlesOnDisk(), [`${next}.mjs`]);
  });

  test("a node that lives long removes bundles of failed deployments, but none that ran in its life or may be on trial", async () => {
    const first = await put("a", "one");
    await using _ = await watch();
    const [failed, onTrial] = ["failed", "on trial"].map((text) => `${hash("sha256", text)}.mjs`);
    for (const name of [failed, onTrial]) writeFileSync(join(folder, name ?? ""), "");
    const hourAgo = new Date(Date.now() - 3_600_000);
    for (const name of [failed, `${first}.mjs`]) utimesSync(join(folder, name ?? ""), hourAgo, hourAgo);
    const next = await put("a", "two");
    await waitUntil(() => !bundlesOnDisk().includes(failed ?? ""), "the failed one is gone");
    assert.ok([`${first}.mjs`, `${next}.mjs`, onTrial].every((name) => bundlesOnDisk().includes(name ?? "")));
  });

  const bundlesOnDisk = (): string[] => readdirSync(folder).filter((name) => name.endsWith(".mjs"));
});
