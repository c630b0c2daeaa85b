import assert from "node:assert/strict";
import { after, before, mock, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { hash16 } from "@voda/proto/hash16";
import { type SessionToken, sessionToken } from "@voda/proto/session";
import { laneSubjects, logStream, marksStream } from "@voda/proto/wire";
import { systemClock } from "@voda/stdx";
import { type Nats, startNats, waitUntil } from "@voda/test/kit";
import { type Commit, openCommit } from "../commit/index.ts";
import { openConnection, openRequests, type Requests } from "../nats/index.ts";
import { type AsleepTrims, openAsleepTrims, roundMs } from "./asleep-trims.ts";
import { createStreams, openStore, type Store } from "./index.ts";

const cleanup = new AsyncDisposableStack();
let server: Nats;
let requests: Requests;
let commit: Commit;
let store: Store;

before(async () => {
  server = cleanup.use(await startNats());
  const connection = cleanup.use(await openConnection({ url: server.url, name: "test" }));
  requests = cleanup.use(openRequests(connection, systemClock));
  await createStreams(requests, 1);
  commit = cleanup.use(openCommit(connection, systemClock));
  store = openStore(requests, commit);
});
after(() => cleanup.disposeAsync());

const tokenOf = (key: string): SessionToken => sessionToken({ namespace: "default", agent: "a", key });
const failures: unknown[] = [];
const open = (index = 0, count = 1, storeMs = Date.now): AsleepTrims =>
  openAsleepTrims({
    requests,
    store,
    storeMs,
    rank: () => ({ index, count }),
    failed: (error) => void failures.push(error),
  });

/** Appends `count` records; the sequence of the last, and its hash. */
async function call(token: SessionToken, count: number): Promise<{ seq: number; hash: Uint8Array }> {
  const { plain: subject, fence } = laneSubjects(token);
  let seq = (await store.lastFromLeader(token))?.seq ?? 0;
  let payload = new Uint8Array(0);
  for (let i = 0; i < count; i += 1) {
    payload = new TextEncoder().encode(`${token} ${seq} ${i}`.padEnd(1000));
    const expect = seq;
    seq = await new Promise((resolve, reject) => {
      commit.append({ subject, fence, expect, payload }, (outcome) =>
        outcome.type === "acked" ? resolve(outcome.seq) : reject(new Error(outcome.type)),
      );
    });
  }
  return { seq, hash: hash16(payload) };
}

async function stored(stream: string): Promise<{ messages: number; bytes: number }> {
  const { state } = await (await jetstreamManager(requests.connection.nats)).streams.info(stream);
  return { messages: state.messages, bytes: state.bytes };
}

const nothingWaits = (): Promise<boolean> => stored(marksStream(0)).then(({ messages }) => messages === 0);

test("a session is trimmed by whichever node is alive when its time has come", async () => {
  const token = tokenOf("left");
  // by its clock the time never comes while it lives
  const gone = open(0, 1, () => 0);
  const { seq, hash } = await call(token, 5);
  gone.add({ token, hash, below: seq, inMs: 1_000 });
  await waitUntil(async () => !(await nothingWaits()), "it is stored");
  await gone[Symbol.asyncDispose]();
  assert.equal((await store.range(token, 1)).length, 5);
  await using _ = open();
  await waitUntil(nothingWaits, "it is trimmed");
  assert.deepEqual(
    (await store.range(token, 1)).map((record) => record.seq),
    [seq],
  );
});

test("a session that has woken since, or that is another node's part, is left alone", async () => {
  const token = tokenOf("woken");
  const { seq, hash } = await call(token, 3);
  await call(token, 1);
  const other = open(1, 2);
  const idle = open(0, 2);
  other.add({ token, hash, below: seq, inMs: 0 });
  await waitUntil(nothingWaits, "somebody looked at it");
  assert.equal((await store.range(token, 1)).length, 4);
  await Promise.all([other[Symbol.asyncDispose](), idle[Symbol.asyncDispose]()]);
});

test("what waits is read once, and again when the first of it is due", async () => {
  mock.timers.enable({ apis: ["setInterval"] });
  try {
    let reads = 0;
    const { nats } = requests.connection;
    const seen = nats.subscribe(`$JS.API.DIRECT.GET.${marksStream(0)}`, {
      callback: () => {
        reads += 1;
      },
    });
    let aheadMs = 0;
    await using trims = open(0, 1, () => Date.now() + aheadMs);
    const token = tokenOf("waits");
    const { seq, hash } = await call(token, 2);
    trims.add({ token, hash, below: seq, inMs: 60_000 });
    await waitUntil(async () => !(await nothingWaits()), "it is stored");
    const round = async (): Promise<void> => {
      mock.timers.tick(roundMs);
      await nats.flush();
    };
    await round();
    await waitUntil(() => reads === 1, "it is read");
    for (let i = 0; i < 3; i += 1) await round();
    assert.equal(reads, 1);
    aheadMs = 60_000;
    await round();
    await waitUntil(nothingWaits, "it is trimmed");
    assert.equal((await store.range(token, 1)).length, 1);
    seen.unsubscribe();
  } finally {
    mock.timers.reset();
  }
});

test("the log stays as large as it is under a storm of short-lived sessions", async () => {
  await using trims = open();
  const sizes: number[] = [];
  const tokens = Array.from({ length: 200 }, (_, i) => tokenOf(`storm ${i}`));
  for (let storm = 0; storm < 3; storm += 1) {
    await Promise.all(
      tokens.map(async (token) => {
        const { seq, hash } = await call(token, 10);
        trims.add({ token, hash, below: seq, inMs: 0 });
      }),
    );
    await waitUntil(nothingWaits, "all are trimmed");
    sizes.push((await stored(logStream(0))).bytes);
  }
  assert.deepEqual(failures, []);
  assert.ok(
    sizes[2] !== undefined && sizes[2] <= (sizes[0] ?? 0) * 1.01,
    `bytes after each storm: ${sizes.join(", ")}`,
  );
});
