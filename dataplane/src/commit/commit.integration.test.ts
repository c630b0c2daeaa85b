import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { sessionToken } from "@voda/proto/session";
import { ensureStreams } from "@voda/proto/streams";
import { laneSubjects, logStream, natsPayloadBytesMax } from "@voda/proto/wire";
import { type Clock, systemClock } from "@voda/stdx";
import { freeze, leakCheck, type Nats, startNats, waitUntil } from "@voda/test/kit";
import { stoppedClock } from "../../test/clocks.ts";
import { type Connection, openConnection } from "../nats/index.ts";
import { type AppendOutcome, type AppendRequest, ackTimeoutMs, type Commit, openCommit } from "./index.ts";

interface Rig {
  readonly server: Nats;
  readonly connection: Connection;
  readonly commit: Commit;
}

async function rig(context: TestContext, clock: Clock = stoppedClock()): Promise<Rig> {
  const nothingLeaked = leakCheck();
  const cleanup = new AsyncDisposableStack();
  context.after(async () => {
    await cleanup.disposeAsync();
    await nothingLeaked();
  });
  const server = cleanup.use(await startNats());
  const connection = cleanup.use(await openConnection({ url: server.url, name: "test" }));
  await ensureStreams(async (subject, body) => (await connection.nats.request(subject, body)).string(), 1);
  const commit = cleanup.use(openCommit(connection, clock));
  return { server, connection, commit };
}

const utf8 = new TextEncoder();
const lane = (key: string) => laneSubjects(sessionToken({ namespace: "default", agent: "test", key }));

function record(
  key: string,
  expect: number,
  payload: string,
  more: Partial<AppendRequest> = {},
): AppendRequest {
  const { plain, fence } = lane(key);
  return { subject: plain, fence, expect, payload: utf8.encode(payload), ...more };
}

const append = (commit: Commit, request: AppendRequest): Promise<AppendOutcome> =>
  new Promise((resolve) => commit.append(request, resolve));

async function acked(commit: Commit, request: AppendRequest): Promise<number> {
  const outcome = await append(commit, request);
  assert.equal(outcome.type, "acked");
  return outcome.type === "acked" ? outcome.seq : 0;
}

test("a record is stored at the expected sequence and refused at any other", async (t) => {
  const { commit } = await rig(t);
  const first = await acked(commit, record("a", 0, "one"));
  assert.deepEqual(await append(commit, record("a", 0, "again")), { type: "refused", code: 10071 });
  const second = await acked(commit, record("a", first, "two"));
  assert.equal(second, first + 1);
  assert.deepEqual(await append(commit, record("a", first, "late")), { type: "refused", code: 10071 });
});

test("thousands of appends of one turn are all answered, each with its own sequence", async (t) => {
  const { commit, connection } = await rig(t);
  const before = connection.nats.stats().outMsgs;
  const all = Array.from({ length: 3_000 }, (_, i) => acked(commit, record(`k${i}`, 0, `${i}`)));
  assert.equal(connection.nats.stats().outMsgs, before, "nothing is published inside append");
  const sequences = await Promise.all(all);
  assert.equal(new Set(sequences).size, 3_000);
});

test("what is too much to be on its way at once is stored all the same", async (t) => {
  const { commit } = await rig(t);
  const large = "x".repeat(natsPayloadBytesMax - 1024);
  const all = Array.from({ length: 3 }, (_, i) => acked(commit, record(`k${i}`, 0, large)));
  assert.equal(new Set(await Promise.all(all)).size, 3);
});

test("a record may end by itself, and a rollup removes what is before it", async (t) => {
  const { commit, connection } = await rig(t);
  const one = await acked(commit, record("a", 0, "one"));
  const two = await acked(commit, record("a", one, "two"));
  const three = await acked(commit, record("a", two, "folded", { rollup: true }));
  const manager = await jetstreamManager(connection.nats);
  const count = async () => (await manager.streams.info(logStream(0))).state.messages;
  assert.equal(await count(), 1);
  await acked(commit, record("a", three, "gone", { rollup: true, ttlSeconds: 1 }));
  await waitUntil(async () => (await count()) === 0, "the record with a time to live is gone");
});

test("a stream that does not exist leaves the append unanswered, not lost", async (t) => {
  const { commit } = await rig(t);
  const outcome = await append(commit, {
    subject: "nobody.listens",
    fence: "nobody.*",
    expect: 0,
    payload: utf8.encode("x"),
  });
  assert.deepEqual(outcome, { type: "unanswered" });
});

test("an append that the server does not answer is unanswered after the timeout", async (t) => {
  let skippedMs = 0;
  const clock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() + skippedMs };
  const { commit, server, connection } = await rig(t, clock);
  await freeze(server.pid());
  const outcome = append(commit, record("a", 0, "one"));
  setImmediate(() => {
    skippedMs = ackTimeoutMs;
  });
  assert.deepEqual(await outcome, { type: "unanswered" });
  assert.ok(connection.isUp(), "the connection was not lost");
  server.signal("SIGCONT");
});

test("after a kill of the server everything in flight is unanswered at once, and nothing is published until it is back", async (t) => {
  const { commit, server, connection } = await rig(t);
  await freeze(server.pid()); // so that no answer can come before the kill
  const flying = Promise.all(Array.from({ length: 50 }, (_, i) => append(commit, record(`k${i}`, 0, "x"))));
  await new Promise((resolve) => setImmediate(resolve));
  await server.kill9();
  assert.ok((await flying).every((outcome) => outcome.type === "unanswered"));
  await waitUntil(() => !connection.isUp(), "the connection is down");
  const published = connection.nats.stats().outMsgs;
  assert.deepEqual(await append(commit, record("b", 0, "down")), { type: "unanswered" });
  assert.equal(connection.nats.stats().outMsgs, published);
  await server.restart();
  await waitUntil(() => connection.isUp(), "the connection is up again");
  await waitUntil(
    async () => (await append(commit, record("b", 0, "up"))).type === "acked",
    "JetStream answers again",
  );
});

test("nothing acknowledged is missing after kills in the middle of appends", async (t) => {
  const { commit, server, connection } = await rig(t, systemClock);
  const sessions = 40;
  const ackedSequences: { subject: string; seq: number }[] = [];
  let outcomes = 0;
  let appends = 0;
  const stop = new AbortController();
  const write = async (key: string): Promise<void> => {
    let expect = 0;
    while (!stop.signal.aborted) {
      appends += 1;
      const outcome = await append(commit, record(key, expect, `${key} after ${expect}`));
      outcomes += 1;
      if (outcome.type === "acked") {
        expect = outcome.seq;
        ackedSequences.push({ subject: lane(key).plain, seq: outcome.seq });
      } else if (outcome.type === "refused") {
        expect = (await lastSequence(connection, lane(key).fence)) ?? expect;
      }
    }
  };
  const writers = Array.from({ length: sessions }, (_, i) => write(`k${i}`));
  for (let kill = 0; kill < 2; kill += 1) {
    const goal = ackedSequences.length + 2_000;
    await waitUntil(() => ackedSequences.length > goal, "writers write");
    await server.kill9();
    await server.restart();
  }
  const goal = ackedSequences.length + 500;
  await waitUntil(() => ackedSequences.length > goal, "writers write again");
  stop.abort();
  await Promise.all(writers);
  assert.equal(outcomes, appends);
  const stored = await storedMessages(connection);
  for (const { subject, seq } of ackedSequences) assert.equal(stored.get(seq), subject, `sequence ${seq}`);
});

/** `undefined` while the server is away. */
async function lastSequence(connection: Connection, fence: string): Promise<number | undefined> {
  const query = JSON.stringify({ last_by_subj: fence });
  try {
    const answer = await connection.nats.request(`$JS.API.STREAM.MSG.GET.${logStream(0)}`, query, {
      timeout: 500,
    });
    return answer.json<{ message?: { seq: number } }>().message?.seq ?? 0;
  } catch (error) {
    assert.ok(error instanceof Error);
    return undefined;
  }
}

async function storedMessages(connection: Connection): Promise<Map<number, string>> {
  const manager = await jetstreamManager(connection.nats);
  const last = (await manager.streams.info(logStream(0))).state.last_seq;
  const stored = new Map<number, string>();
  for (let seq = 1; seq <= last; ) {
    for await (const message of await manager.direct.getBatch(logStream(0), { seq, batch: 1_000 })) {
      stored.set(message.seq, message.subject);
      seq = message.seq + 1;
    }
  }
  return stored;
}
