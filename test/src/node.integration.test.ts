// Nodes as processes: what a session promises when handlers fail, nodes die and agents are deployed anew.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Kvm } from "@nats-io/kv";
import { edgeSecretKey, keysBucket } from "@voda/proto/wire";
import { adviceFor, errorFacts } from "../../cli/src/failure.ts";
import { type Called, call, openTwoNodes, refusal, waitUntil } from "./kit/index.ts";

const { cluster, n1, n2 } = await openTwoNodes();

/** `undefined` when the connection failed: the node is being killed. */
async function attempt(calling: () => Promise<Called>): Promise<Called | undefined> {
  try {
    return await calling();
  } catch (error) {
    assert.match(String(error), /fetch failed/);
    return undefined;
  }
}

/** As a client with an idempotency key does. */
async function insist(url: string, path: string, input: unknown, id?: string): Promise<unknown> {
  const decided = await waitUntil(async () => {
    const called = await attempt(() => call(url, path, { input, ...(id !== undefined && { id }) }));
    return called !== undefined && called.status < 500 && called.status !== 429 ? called : undefined;
  }, `${path} is decided`);
  assert.equal(decided.status, 200, JSON.stringify(decided.body));
  return decided.body;
}

test("a handler that throws leaves no state and no answer but the error", async () => {
  assert.equal((await call(n1.url, "probe/throws/add", { input: 1 })).body, 1);
  const refused = await call(n1.url, "probe/throws/refuse");
  assert.deepEqual(
    [refused.status, refusal(refused)],
    [400, { code: "failed_precondition", reason: "user", message: "not today" }],
  );
  const crashed = await call(n1.url, "probe/throws/crash");
  assert.deepEqual([crashed.status, refusal(crashed).reason], [500, "internal"]);
  assert.doesNotMatch(JSON.stringify(crashed.body), /secret detail/);
  assert.deepEqual((await call(n1.url, "probe/throws/get")).body, { count: 1, name: "none" });
});

test("a readonly handler that writes fails and writes nothing", async () => {
  const sneaked = await call(n1.url, "probe/sneak/sneak");
  assert.equal(sneaked.status, 500);
  assert.deepEqual((await call(n1.url, "probe/sneak/get")).body, { count: 0, name: "none" });
});

test("a call whose deadline passes while it runs is told in its facts that its effect is unknown", async () => {
  const headers = { "connect-timeout-ms": "200" };
  const late = await call(n1.url, "probe/late/addSlowly", { input: 1_000, headers });
  const { code, details } = late.body as { code: string; details: readonly unknown[] };
  const facts = errorFacts(code, details, null);
  assert.deepEqual(facts, { code: "deadline_exceeded", reason: "turn_timeout", effect: "unknown" });
  assert.match(adviceFor(facts).next ?? "", /^--id /);
});

test("a turn that hangs is undone after maxTurn and the session goes on", async () => {
  const hung = await call(n1.url, "probe/hangs/hang");
  assert.deepEqual([hung.status, refusal(hung).reason], [504, "turn_timeout"]);
  assert.equal((await call(n1.url, "probe/hangs/add", { input: 1 })).body, 1);
});

test("an answer over the limit is refused with both numbers and leaves nothing", async () => {
  const huge = await call(n1.url, "probe/huge/huge");
  assert.equal(refusal(huge).reason, "too_large");
  assert.match(refusal(huge).message ?? "", /2097\d+ .*1048576/);
});

test("more calls than maxQueue are refused and the rest run in order", async () => {
  const calls = Array.from({ length: 12 }, () => call(n1.url, "probe/queue/addSlowly", { input: 30 }));
  const answers = await Promise.all(calls);
  const refused = answers.filter(({ status }) => status === 429);
  assert.ok(refused.length > 0 && refused.every((one) => refusal(one).reason === "queue_full"));
  const done = answers.filter(({ status }) => status === 200).map(({ body }) => body);
  assert.deepEqual(
    done,
    Array.from({ length: done.length }, (_, i) => i + 1),
  );
});

test("the same key answers again without running again, with another body it is refused", async () => {
  const first = await call(n1.url, "probe/keys/add", { input: 5, id: "k" });
  const again = await call(n2.url, "probe/keys/add", { input: 5, id: "k" });
  assert.deepEqual([first.body, again.body], [5, 5]);
  const other = await call(n1.url, "probe/keys/add", { input: 6, id: "k" });
  assert.deepEqual([other.status, refusal(other).reason], [400, "idempotency_key_reused"]);
  assert.deepEqual((await call(n1.url, "probe/keys/get")).body, { count: 5, name: "none" });
});

test("any node serves a session: it forwards to the owner and names it", async () => {
  await call(n1.url, "probe/forwarded/add", { input: 1 });
  const called = await call(n2.url, "probe/forwarded/add", { input: 1 });
  assert.equal(called.body, 2);
  assert.equal(`http://${called.headers.get("x-voda-host")}`, n1.url);
});

test("a session survives SIGKILL of its node, here and elsewhere, and repeats nothing", async () => {
  for (let i = 1; i <= 20; i += 1)
    assert.equal(await insist(n1.url, "probe/killed/add", 1, `before-${i}`), i);
  await n1.kill9();
  assert.equal(await insist(n2.url, "probe/killed/add", 1, "before-20"), 20);
  assert.equal(await insist(n2.url, "probe/killed/add", 1, "after"), 21);
  await n1.restart();
  assert.equal(await insist(n1.url, "probe/killed/add", 1, "after"), 21);
  assert.equal(await insist(n1.url, "probe/killed/add", 1, "last"), 22);
});

test("a node that starts refuses calls for a while, and never takes a deployed agent for unknown", async () => {
  await n1.kill9();
  const restarting = n1.restart();
  assert.equal(await insist(n1.url, "probe/early/add", 1, "early"), 1);
  await restarting;
});

test("nothing is lost when nats-server is killed under calls", async () => {
  const calls = Array.from({ length: 40 }, (_, i) =>
    insist(n2.url, `probe/nats-${i % 4}/add`, 1, `nats-${i}`),
  );
  await cluster.nats.kill9();
  await cluster.nats.restart();
  await Promise.all(calls);
  const counts = await Promise.all([0, 1, 2, 3].map((i) => insist(n2.url, `probe/nats-${i}/get`, undefined)));
  assert.deepEqual(
    counts,
    Array.from({ length: 4 }, () => ({ count: 10, name: "none" })),
  );
});

test("an idle session sleeps, leaves the node, and wakes with its state and its stored answers", async () => {
  assert.equal((await call(n1.url, "sleeper/s/add", { input: 3, id: "once" })).body, 3);
  const whole = {
    count: 3,
    title: "old",
    items: { a: 1 },
    notes: "hello",
    done: true,
    past: ["filled"],
    tags: [1, 2, "a", "b"],
    steps: ["a", "b", "c"],
  };
  assert.deepEqual((await call(n1.url, "sleeper/s/fill")).body, whole);
  const isAsleep = async (): Promise<boolean> => {
    const response = await fetch(`${cluster.apiUrl}/voda.api.v1.SessionService/GetSession`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ session: { agent: "sleeper", key: "s" } }),
    });
    const { session } = (await response.json()) as { session?: { status?: string } };
    return session?.status === "SESSION_STATUS_ASLEEP";
  };
  await waitUntil(isAsleep, "the session sleeps");
  assert.equal((await call(n2.url, "sleeper/s/add", { input: 3, id: "once" })).body, 3);
  assert.deepEqual((await call(n2.url, "sleeper/s/all")).body, whole, "fields of every kind");
});

test("a state of many pages survives folds, sleep and SIGKILL", async () => {
  for (let i = 0; i < 24; i += 1)
    await insist(n1.url, "pages/big/fill", { from: i * 10, count: 10, bytes: 8_000 }, `fill-${i}`);
  await n1.kill9();
  assert.equal(await insist(n2.url, "pages/big/size", undefined), 240);
  assert.deepEqual(await insist(n2.url, "pages/big/tail", undefined), [240, 2_000, ["line 238", "line 239"]]);
  await n1.restart();
  await insist(n2.url, "pages/big/write", { key: "k7", text: "new" }, "write");
  assert.equal(await insist(n1.url, "pages/big/read", "k7"), "new");
});

/** What Envoy adds to the requests that it passes on. */
async function edgeProof(): Promise<Record<string, string>> {
  const connection = await cluster.nats.connect();
  try {
    const stored = await (await new Kvm(connection).open(keysBucket)).get(edgeSecretKey);
    return { "x-voda-edge": stored?.string() ?? "" };
  } finally {
    await connection.close();
  }
}

test("a forged grant that came through Envoy is refused and wakes nothing; anybody else's is no grant", async () => {
  const headers = { "x-voda-grant": "eyJhbGciOiJFZERTQSJ9.e30.AAAA" };
  const forged = await call(n1.url, "probe/forged/add", {
    input: 1,
    headers: { ...headers, ...(await edgeProof()) },
  });
  assert.deepEqual([forged.status, refusal(forged).reason], [403, "grant_refused"]);
  assert.equal((await call(n1.url, "probe/forged/add", { input: 1, headers })).body, 1);
});

test("a grant that came to another node than it is for counts as none", async () => {
  const picked = await fetch(`${cluster.pickerUrl}/pick/agents/probe/astray/add`, { method: "POST" });
  const grant = picked.headers.get("x-voda-grant") ?? "";
  const owner = `http://${picked.headers.get("owner")}`;
  const [other] = cluster.nodes.filter(({ url }) => url !== owner);
  assert.ok(grant !== "" && other !== undefined);
  const headers = { "x-voda-grant": grant, ...(await edgeProof()) };
  const called = await call(other.url, "probe/astray/add", { input: 1, headers });
  assert.deepEqual([called.status, called.body], [200, 1]);
});

test("a correlation id that several calls share swallows none of them", async () => {
  const headers = { "x-request-id": "one-job" };
  assert.equal((await call(n1.url, "probe/correlated/add", { input: 1, headers })).body, 1);
  assert.equal((await call(n1.url, "probe/correlated/add", { input: 1, headers })).body, 2);
});

test("bad input gets a clear error and the process lives", async () => {
  const pid = n1.process().pid;
  const longKey = "k".repeat(300);
  assert.match(
    refusal(await call(n1.url, `probe/${longKey}/add`, { input: 1 })).message ?? "",
    /300 bytes.*keyBytesMax 256/,
  );
  assert.equal(refusal(await call(n1.url, "nobody/k/add", { input: 1 })).reason, "agent_not_found");
  assert.equal(refusal(await call(n1.url, "probe/k/nothing", { input: 1 })).reason, "method_not_found");
  const body = "x".repeat(4 * 1024 * 1024 + 1);
  assert.match(
    refusal(await call(n1.url, "probe/k/add", { input: body })).message ?? "",
    /4194307.*4194304|4194304/,
  );
  const malformed = await fetch(`${n1.url}/agents/probe/k/add`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{",
  });
  assert.equal(malformed.status, 400);
  assert.equal((await call(n1.url, "probe/k/add", { input: 1 })).body, 1);
  assert.equal(n1.process().pid, pid);
});
