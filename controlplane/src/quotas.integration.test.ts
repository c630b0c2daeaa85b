// Quotas through the API, the bucket and the watches of several control planes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Client, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { jetstream } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/transport-node";
import { type Quota, QuotaService } from "@voda/proto/api";
import { quotasBucket } from "@voda/proto/wire";
import { leakCheck, type Nats, startNats, waitUntil } from "@voda/test/kit";
import { pino } from "pino";
import { openTestControlPlane, type TestControlPlane } from "../test/test-control-plane.ts";
import { Quotas } from "./placement/index.ts";
import { QuotaBucket, quotaMessage } from "./quotas/quota-bucket.ts";

const quiet = pino({ level: "silent" });
const noLeaks = leakCheck();
let nats: Nats;
let connection: NatsConnection;
let first: TestControlPlane;
let second: TestControlPlane;
let kv: KV;

const open = (): Promise<TestControlPlane> => openTestControlPlane(nats.url);
const apiOf = (of: TestControlPlane): Client<typeof QuotaService> =>
  createClient(QuotaService, createConnectTransport({ baseUrl: `http://${of.api}`, httpVersion: "1.1" }));

before(async () => {
  nats = await startNats();
  connection = await nats.connect();
  first = await open();
  second = await open();
  kv = await new Kvm(jetstream(connection)).open(quotasBucket);
});
after(async () => {
  await first[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
  await nats.stop();
  await noLeaks();
});

const limitsOf = ({ namespace, sessions, cpuMilli, memoryMib, gpuMilli }: Quota) =>
  JSON.parse(JSON.stringify({ namespace, sessions, cpuMilli, memoryMib, gpuMilli })) as object;
const quotaAt = async (of: TestControlPlane, namespace: string): Promise<object | undefined> => {
  const { quota } = await apiOf(of).getQuota({ namespace });
  return quota === undefined ? undefined : limitsOf(quota);
};
async function failure(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => assert.fail("the call succeeded"),
    (cause: unknown) => ConnectError.from(cause),
  );
  const [info] = error.details;
  const reason = info !== undefined && "type" in info ? new TextDecoder().decode(info.value) : "";
  return `${/[a-z_]+(?=\W*voda\.dev)/.exec(reason)?.[0]}: ${error.rawMessage}`;
}

test("a quota that is set holds at once where it was set, in the other control planes soon, and after a restart", async () => {
  const { quota } = await apiOf(first).setQuota({
    quota: { namespace: "team", sessions: 0, gpuMilli: 2500 },
  });
  const wanted = { namespace: "team", sessions: 0, gpuMilli: 2500 };
  assert.deepEqual(quota === undefined ? undefined : limitsOf(quota), wanted);
  assert.deepEqual(await quotaAt(first, "team"), wanted);
  await waitUntil(async () => (await quotaAt(second, "team")) !== undefined, "the other one has heard of it");
  assert.deepEqual(await quotaAt(second, "team"), wanted);
  await using third = await open();
  assert.deepEqual(await quotaAt(third, "team"), wanted);
});

test("a quota takes the place of the one before as a whole", async () => {
  await apiOf(first).setQuota({ quota: { namespace: "team-b", sessions: 5, cpuMilli: 1 } });
  await apiOf(first).setQuota({ quota: { namespace: "team-b", memoryMib: 7 } });
  assert.deepEqual(await quotaAt(first, "team-b"), { namespace: "team-b", memoryMib: 7 });
});

test("a namespace without a quota has none, and nothing in use", async () => {
  const { quota, used } = await apiOf(first).getQuota({});
  assert.deepEqual([quota, used?.sessions, used?.memoryMib], [undefined, 0, 0]);
});

test("quotas are listed by namespace with what is used", async () => {
  await apiOf(first).setQuota({ quota: { namespace: "", sessions: 3 } });
  const { quotas } = await apiOf(first).listQuotas({});
  assert.deepEqual(
    quotas.map(({ quota, used }) => [quota?.namespace, used?.sessions]),
    [
      ["default", 0],
      ["team", 0],
      ["team-b", 0],
    ],
  );
});

test("a quota that is deleted limits nothing any more, here and there", async () => {
  await apiOf(second).setQuota({ quota: { namespace: "gone", sessions: 1 } });
  await waitUntil(async () => (await quotaAt(first, "gone")) !== undefined, "the other one has heard of it");
  await apiOf(second).deleteQuota({ namespace: "gone" });
  assert.equal(await quotaAt(second, "gone"), undefined);
  await waitUntil(
    async () => (await quotaAt(first, "gone")) === undefined,
    "the other one has heard of its end",
  );
  assert.equal(
    await failure(apiOf(second).deleteQuota({ namespace: "gone" })),
    'quota_not_found: namespace "gone" has no quota',
  );
});

test("a quota that names no namespace that can be, or no amount, is refused", async () => {
  const set = (quota: object): Promise<string> => failure(apiOf(first).setQuota({ quota }));
  assert.match(await set({ namespace: "Team", sessions: 1 }), /^bad_request: namespace "Team" is not a name/);
  assert.match(
    await set({ namespace: "none" }),
    /^bad_request: the quota of namespace none limits nothing; name an amount/,
  );
  assert.equal(await failure(apiOf(first).setQuota({})), "bad_request: the request names no quota");
  assert.match(
    await failure(apiOf(first).deleteQuota({ namespace: "a.b" })),
    /^bad_request: namespace "a.b" is not a name/,
  );
});

test("a value in the bucket that is no quota of its namespace leaves the one before, and later ones count", async () => {
  await apiOf(first).setQuota({ quota: { namespace: "odd", sessions: 1 } });
  await kv.put("odd", "not json");
  await kv.put("odd", JSON.stringify({ namespace: "other", sessions: 9 }));
  await kv.put("even", JSON.stringify({ namespace: "even", sessions: 4 }));
  await waitUntil(async () => (await quotaAt(first, "even")) !== undefined, "what came after it was read");
  assert.deepEqual(await quotaAt(first, "odd"), { namespace: "odd", sessions: 1 });
  await kv.put("odd", JSON.stringify({ namespace: "odd", sessions: 2 }));
  await waitUntil(
    async () => JSON.stringify(await quotaAt(first, "odd")).includes("2"),
    "the later quota holds",
  );
});

/** The bucket, but for one method that is as slow as NATS may be at its worst. */
const slow = (method: "get" | "watch", answer: () => Promise<unknown>): KV =>
  new Proxy(kv, {
    get: (of, name) => (name === method ? answer : (Reflect.get(of, name) as () => void).bind(of)),
  });

test("a quota holds where it was set before the watch has told it", async () => {
  const quotas = new Quotas();
  const silent = slow("watch", async () => {
    const entries = await kv.watch();
    entries.stop();
    return entries;
  });
  await using bucket = await QuotaBucket.open({ kv: silent, quotas, log: quiet });
  await bucket.put(quotaMessage("early", { sessions: 3 }));
  assert.deepEqual(quotas.quotaOf("early"), { sessions: 3 });
  await bucket.delete("early");
  assert.equal(quotas.quotaOf("early"), undefined);
});

test("an answer of the store that is older than what the watch has told changes nothing", async () => {
  const quotas = new Quotas();
  await kv.put("late", JSON.stringify({ namespace: "late", sessions: 1 }));
  const stale = await kv.get("late");
  const lagging = slow("get", async () => stale);
  await using bucket = await QuotaBucket.open({ kv: lagging, quotas, log: quiet });
  await kv.put("late", JSON.stringify({ namespace: "late", sessions: 2 }));
  await waitUntil(() => quotas.quotaOf("late")?.sessions === 2, "the watch has told it");
  await bucket.put(quotaMessage("late", { sessions: 3 }));
  assert.notEqual(quotas.quotaOf("late")?.sessions, 1);
  await waitUntil(() => quotas.quotaOf("late")?.sessions === 3, "the watch has told what was put");
});
