// Commands as a control plane sends them to a real node, above all SLEEP with `idle_ms_min`: it may come at
// any moment.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { NatsConnection } from "@nats-io/transport-node";
import { type Command, CommandKind, CommandResultSchema, CommandSchema } from "@voda/proto/node";
import { commandSubject } from "@voda/proto/wire";
import { type Called, type Cluster, call, startCluster, waitUntil } from "./kit/index.ts";

const agent = "probe"; // sleeps after an hour without work, and its turns may take 1 s
let cluster: Cluster;
let connection: NatsConnection;
let url: string;

before(async () => {
  cluster = await startCluster({ nodes: 1 });
  connection = await cluster.nats.connect();
  url = cluster.nodes[0]?.url ?? "";
});
after(async () => {
  await connection.close();
  await cluster[Symbol.asyncDispose]();
});

/** The reason why it was not put to sleep; empty when it sleeps. */
async function putToSleep(
  key: string,
  idleMsMin: number,
): Promise<{ readonly reason: string; readonly message: string }> {
  const deadlineMs = BigInt(Date.now() + 10_000);
  return send(
    create(CommandSchema, {
      kind: CommandKind.SLEEP,
      namespace: "default",
      agent,
      key,
      deadlineMs,
      idleMsMin,
    }),
  );
}
async function send(command: Command): Promise<{ readonly reason: string; readonly message: string }> {
  const reply = await connection.request(commandSubject("n1"), toBinary(CommandSchema, command), {
    timeout: 10_000,
  });
  return fromBinary(CommandResultSchema, reply.data);
}
const add = (key: string, by = 1): Promise<Called> => call(url, `${agent}/${key}/add`, { input: by });
/** Sessions that the node says are in its memory. */
const awake = async (): Promise<number> => {
  const response = await fetch(`${cluster.apiUrl}/voda.api.v1.NodeService/ListNodes`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  return ((await response.json()) as { nodes: { sessions?: number }[] }).nodes[0]?.sessions ?? 0;
};

test("a session that was called a moment ago is not put to sleep, and the answer says so", async () => {
  assert.equal((await add("recent")).body, 1);
  const refused = await putToSleep("recent", 3_600_000);
  assert.equal(refused.reason, "not_rested");
  assert.match(refused.message, /probe\/recent had work within the last 3600000 ms/);
  await waitUntil(async () => (await awake()) === 1, "the session is listed as awake");
});

test("a session that rested long enough is put to sleep, and the next call wakes it with its state", async () => {
  const started = performance.now();
  assert.equal((await add("rested", 5)).body, 5);
  await waitUntil(async () => (await putToSleep("rested", 250)).reason === "", "the session rested");
  assert.ok(performance.now() - started >= 250, "it was put to sleep too early");
  await waitUntil(async () => (await awake()) === 1, "only the session of the test before is awake");
  assert.equal((await add("rested")).body, 6);
});

test("a session that nobody ever called sleeps already", async () => {
  assert.equal((await putToSleep("nobody", 1)).reason, "");
});

test("a session with a turn that runs is not put to sleep, however little rest is asked for", async () => {
  assert.equal((await add("running")).body, 1);
  let count = 1;
  // a busy machine may ask before the turn has begun, and next when it is over
  const isRefused = async (): Promise<boolean> => {
    const answered = new AbortController();
    const slow = call(url, `${agent}/running/addSlowly`, { input: 500 }).finally(() => answered.abort());
    let isRefusedMeanwhile = false;
    while (!answered.signal.aborted) {
      const isNotRested = (await putToSleep("running", 1)).reason === "not_rested";
      isRefusedMeanwhile ||= isNotRested && !answered.signal.aborted;
    }
    count += 1;
    assert.equal((await slow).body, count);
    return isRefusedMeanwhile;
  };
  await waitUntil(isRefused, "the node says not_rested");
});

test("a turn that its caller has left counts as work until it has ended", async () => {
  assert.equal((await add("left")).body, 1);
  const left = new AbortController();
  const calling = call(url, `${agent}/left/hang`, { signal: left.signal });
  await waitUntil(async () => (await putToSleep("left", 1)).reason === "not_rested", "the turn runs");
  left.abort();
  await assert.rejects(calling, { name: "AbortError" });
  await waitUntil(async () => (await putToSleep("left", 1)).reason === "", "the turn was undone");
  assert.equal((await add("left")).body, 2);
});

test("a command that comes after its deadline is not carried out", async () => {
  const command = create(CommandSchema, {
    kind: CommandKind.WAKE,
    namespace: "default",
    agent,
    key: "late",
    deadlineMs: 1n,
  });
  assert.equal((await send(command)).reason, "turn_timeout");
  assert.equal((await putToSleep("late", 3_600_000)).reason, "", "it is not in memory");
});

test("calls that arrive while a session falls asleep are all answered, and nothing is lost", async () => {
  const rounds = 60;
  let slept = 0;
  for (let round = 1; round <= rounds; round += 1) {
    await waitUntil(
      async () => (await putToSleep("race", 1)).reason === "",
      "the session rested for a millisecond",
    );
    assert.equal((await add("race")).body, 2 * round - 1);
    const [command, called] = await Promise.all([
      waitUntil(() => putToSleep("race", 1), "an answer"),
      add("race"),
    ]);
    assert.equal(called.body, 2 * round);
    if (command.reason === "") slept += 1;
    else assert.equal(command.reason, "not_rested");
  }
  assert.ok(slept > 0, "no call met a session that fell asleep");
});
