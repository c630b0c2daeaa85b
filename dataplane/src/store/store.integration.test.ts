import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate as loopTick } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { hash16 } from "@voda/proto/hash16";
import { decodeNameRecord, type SessionName, sessionToken } from "@voda/proto/session";
import { laneSubjects, logStream, marksStream, snapshotStream } from "@voda/proto/wire";
import { systemClock } from "@voda/stdx";
import { freeze, leakCheck, type Nats, startNats, waitUntil } from "@voda/test/kit";
import { stoppedClock } from "../../test/clocks.ts";
import { type Commit, openCommit } from "../commit/index.ts";
import {
  type Connection,
  directBatch,
  openConnection,
  openRequests,
  type Requests,
  StoreError,
} from "../nats/index.ts";
import { createStreams, openStore, type Store } from "./index.ts";

interface Rig {
  readonly server: Nats;
  readonly connection: Connection;
  readonly requests: Requests;
  readonly commit: Commit;
  readonly store: Store;
}

async function rig(context: TestContext): Promise<Rig> {
  const nothingLeaked = leakCheck();
  const cleanup = new AsyncDisposableStack();
  context.after(async () => {
    await cleanup.disposeAsync();
    await nothingLeaked();
  });
  const server = cleanup.use(await startNats());
  const connection = cleanup.use(await openConnection({ url: server.url, name: "test" }));
  const requests = cleanup.use(openRequests(connection, systemClock));
  await createStreams(requests, 1);
  const commit = cleanup.use(openCommit(connection, stoppedClock()));
  return { server, connection, requests, commit, store: openStore(requests, commit) };
}

const nameSubjects = "v.log.*.*.i";
const name: SessionName = { namespace: "default", agent: "test", key: "a" };
const token = sessionToken(name);
const other = sessionToken({ ...name, key: "b" });
const utf8 = new TextEncoder();
const text = (bytes: Uint8Array | undefined) =>
  bytes === undefined ? undefined : new TextDecoder().decode(bytes);

/** Appends `count` records and returns their sequences. */
async function fill(commit: Commit, session: typeof token, count: number, rollup = false): Promise<number[]> {
  const { plain, fence } = laneSubjects(session);
  const sequences: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const seq = await new Promise<number>((resolve, reject) => {
      const expect = sequences.at(-1) ?? 0;
      commit.append(
        { subject: plain, fence, expect, payload: utf8.encode(`record ${i}`), rollup },
        (outcome) => (outcome.type === "acked" ? resolve(outcome.seq) : reject(new Error(outcome.type))),
      );
    });
    sequences.push(seq);
  }
  return sequences;
}

test("the last record of a lane is found by its fence, from any replica and from the leader", async (t) => {
  const { store, commit } = await rig(t);
  assert.equal(await store.last(token), undefined);
  assert.equal(await store.lastFromLeader(token), undefined);
  const sequences = await fill(commit, token, 3);
  await fill(commit, other, 2);
  for (const last of [await store.last(token), await store.lastFromLeader(token)]) {
    assert.deepEqual([last?.seq, text(last?.bytes)], [sequences[2], "record 2"]);
  }
});

test("of many ranges few are asked at once: leases and appends come in between", async (t) => {
  const { store, commit, connection } = await rig(t);
  await fill(commit, token, 3);
  const asked = t.mock.method(connection.nats, "publish");
  const ranges = Array.from({ length: 50 }, () => store.range(token, 1));
  await loopTick();
  assert.ok(asked.mock.callCount() <= 8, `${asked.mock.callCount()} are asked`);
  for (const records of await Promise.all(ranges)) assert.equal(records.length, 3);
  assert.equal(asked.mock.callCount(), 50);
});

test("a range has all records of one lane from a sequence on, however many, and no others", async (t) => {
  const { store, commit } = await rig(t);
  const first = await fill(commit, token, 1);
  await fill(commit, other, 700);
  assert.deepEqual((await store.range(other, 1)).length, 700);
  assert.deepEqual(
    (await store.range(token, 1)).map((record) => record.seq),
    first,
  );
  const all = (await store.range(other, 1)).map((record) => record.seq);
  assert.deepEqual(
    (await store.range(other, all[690] ?? 0)).map((record) => record.seq),
    all.slice(690),
  );
  assert.deepEqual(
    (await store.range(other, all[5] ?? 0, { limit: 3 })).map((record) => record.seq),
    all.slice(5, 8),
  );
  assert.deepEqual(
    (await store.range(other, all[690] ?? 0, { leader: true, limit: 4 })).map((record) => record.seq),
    all.slice(690, 694),
  );
  assert.deepEqual(await store.range(token, 10_000), []);
  assert.deepEqual(await store.range(token, 10_000, { leader: true }), []);
});

test("records are found where they lie; what is another lane's, or is not there, is left out", async (t) => {
  const { store, commit } = await rig(t);
  const [ours, theirs] = [await fill(commit, token, 3), await fill(commit, other, 1)];
  const [first = 0, second = 0, third = 0] = ours;
  const found = await store.recordsAt(token, [first, third, ...theirs, 10_000]);
  assert.deepEqual(
    found.map((record) => [record.seq, text(record.bytes)]),
    [
      [first, "record 0"],
      [third, "record 2"],
    ],
  );
  await store.trim(token, second);
  assert.deepEqual(
    (await store.recordsAt(token, ours)).map((record) => record.seq),
    [second, third],
  );
});

test("a trim removes what is before its bound, again and again the same, and nothing of another lane", async (t) => {
  const { store, commit } = await rig(t);
  const mine = await fill(commit, token, 5);
  const theirs = await fill(commit, other, 2);
  await store.trim(token, mine[3] ?? 0);
  await store.trim(token, mine[1] ?? 0);
  const left = (await store.range(token, 1)).map((record) => record.seq);
  assert.deepEqual(left, mine.slice(3));
  assert.equal((await store.range(other, 1)).length, theirs.length);
  assert.throws(() => store.trim(token, 0), /would purge the whole lane/);
});

test("pages are read back in the order of their names, and missing ones show", async (t) => {
  const { store, connection } = await rig(t);
  const pages = Array.from({ length: 80 }, (_, index) => ({
    name: { epoch: 7, index },
    bytes: utf8.encode(`page ${index}`),
  }));
  await store.writePages(token, pages);
  await store.writePages(token, pages.slice(0, 2)); // a repeat after a lost answer
  const read = await store.readPages(token, [
    { epoch: 7, index: 79, hash: hash16(utf8.encode("page 79")) },
    { epoch: 8, index: 0, hash: hash16(utf8.encode("page 0")) },
    { epoch: 7, index: 0, hash: hash16(utf8.encode("page 0")) },
  ]);
  assert.deepEqual(read.map(text), ["page 79", undefined, "page 0"]);
  await store.deletePages(
    token,
    pages.slice(1).map((page) => page.name),
  );
  const manager = await jetstreamManager(connection.nats);
  assert.equal((await manager.streams.info(snapshotStream(0))).state.messages, 1);
  const clash = [{ name: { epoch: 7, index: 0 }, bytes: utf8.encode("something else") }];
  await assert.rejects(store.writePages(token, clash), /exists with other bytes/);
});

test("a page with another hash than the one that is asked for counts as missing", async (t) => {
  const { store } = await rig(t);
  const bytes = utf8.encode("page");
  const page = { epoch: 1, index: 0 };
  await store.writePages(token, [{ name: page, bytes }]);
  const asked = [hash16(bytes), hash16(utf8.encode("other"))].map((hash) => ({ ...page, hash }));
  assert.deepEqual((await store.readPages(token, asked)).map(text), ["page", undefined]);
});

test("an ended session leaves its tombstone alone, and what was written since", async (t) => {
  const { store, commit, connection } = await rig(t);
  await store.publishName(token, name, true);
  const sequences = await fill(commit, token, 3);
  await fill(commit, other, 1);
  const gone = sequences[2] ?? 0;
  await store.publishName(other, { ...name, key: "b" }, true);
  await store.purgeSession(token, gone);
  await store.purgeSession(other, gone);
  const manager = await jetstreamManager(connection.nats);
  assert.deepEqual(
    (await store.range(token, 1)).map((record) => record.seq),
    sequences.slice(2),
  );
  const { subjects } = (await manager.streams.info(logStream(0), { subjects_filter: nameSubjects })).state;
  assert.deepEqual(Object.keys(subjects ?? {}), [laneSubjects(other).name]);
});

test("a name is written once, and one filter lists all of them", async (t) => {
  const { store, connection } = await rig(t);
  await store.publishName(token, name, true);
  await store.publishName(token, name, true);
  await store.publishName(other, { ...name, key: "b" }, false);
  await store.publishName(token, { ...name, key: "not this one" }, false);
  const manager = await jetstreamManager(connection.nats);
  const keys: (string | undefined)[] = [];
  for await (const message of await manager.direct.getBatch(logStream(0), {
    seq: 1,
    next_by_subj: nameSubjects,
    batch: 10,
  })) {
    keys.push(decodeNameRecord(message.data)?.key);
  }
  assert.deepEqual(keys, ["a", "b"]);
});

test("the name of a new life stays when what the earlier one left is purged late", async (t) => {
  const { store, commit, connection } = await rig(t);
  await store.publishName(token, name, true);
  const sequences = await fill(commit, token, 2);
  await store.publishName(token, name, true);
  await store.purgeSession(token, sequences[1] ?? 0);
  const manager = await jetstreamManager(connection.nats);
  const { subjects } = (await manager.streams.info(logStream(0), { subjects_filter: nameSubjects })).state;
  assert.deepEqual(Object.keys(subjects ?? {}), [laneSubjects(token).name]);
});

test("a request that nobody can answer fails at once, and so does what waits when the store closes", async (t) => {
  const { requests, server } = await rig(t);
  await assert.rejects(requests.ask("nobody.listens", ""), /nobody.listens: nobody listens/);
  await assert.rejects(
    directBatch(requests, { stream: "NO_STREAM", filter: ">", seq: 1, count: 1 }),
    /NO_STREAM: nobody listens/,
  );
  await freeze(server.pid());
  const waits = assert.rejects(requests.ask("$JS.API.INFO", ""), /the store is closed/);
  requests[Symbol.dispose]();
  await waits;
  await server.kill9();
});

test("a store that is away fails reads at once", async (t) => {
  const { store, server, connection } = await rig(t);
  await server.kill9();
  await waitUntil(() => !connection.isUp(), "the connection is down");
  await assert.rejects(store.last(token), StoreError);
  await assert.rejects(store.range(token, 1), StoreError);
  await assert.rejects(
    store.writePages(token, [{ name: { epoch: 1, index: 0 }, bytes: utf8.encode("x") }]),
    StoreError,
  );
});

test("a read that the server drops in the middle fails", async (t) => {
  const { store, server, commit } = await rig(t);
  await fill(commit, token, 1);
  await freeze(server.pid());
  const read = assert.rejects(store.last(token), StoreError);
  const range = assert.rejects(store.range(token, 1), StoreError);
  await server.kill9();
  await Promise.all([read, range]);
});

test("streams are created once, and one with other settings is refused with the difference", async (t) => {
  const { connection, requests } = await rig(t);
  await createStreams(requests, 1);
  const manager = await jetstreamManager(connection.nats);
  await manager.streams.delete(snapshotStream(0));
  await manager.streams.add({ name: snapshotStream(0), subjects: ["v.snap.>"], allow_direct: false });
  await assert.rejects(
    createStreams(requests, 1),
    /VODA_SNAP_0 exists with other settings: .*allow_direct is false and must be true/,
  );
});

test("one question tells that all streams are there; one that is lost is made anew, and named unless an older voda had none", async (t) => {
  const { connection, requests, commit } = await rig(t);
  const asked: string[] = [];
  const counted: Requests = {
    ...requests,
    ask(subject, ...rest) {
      asked.push(subject);
      return requests.ask(subject, ...rest);
    },
  };
  const manager = await jetstreamManager(connection.nats);
  const marks = marksStream(0);
  const withoutMarks = async () => {
    asked.length = 0;
    await manager.streams.delete(marks);
    return await createStreams(counted, 1);
  };
  assert.deepEqual(await createStreams(counted, 1), { made: [], lost: [] });
  assert.deepEqual(asked, ["$JS.API.STREAM.LIST"]);
  assert.deepEqual(await withoutMarks(), { made: [marks], lost: [] }, "nothing was written yet");
  assert.deepEqual(asked, ["$JS.API.STREAM.LIST", `$JS.API.STREAM.CREATE.${marks}`]);
  await fill(commit, token, 1);
  assert.deepEqual(await withoutMarks(), { made: [marks], lost: [marks] });
  await manager.streams.update(logStream(0), { metadata: { voda_format: "1" } });
  assert.deepEqual(await withoutMarks(), { made: [marks], lost: [] }, "an older voda had no marks");
});

test("a log of an older format is marked before it is written to, one of a later format is refused", async (t) => {
  const { connection, requests } = await rig(t);
  const manager = await jetstreamManager(connection.nats);
  const formatOf = async (): Promise<string | undefined> =>
    (await manager.streams.info(logStream(0))).config.metadata?.["voda_format"];
  assert.equal(await formatOf(), "2");
  await createStreams(requests, 1);
  await manager.streams.update(logStream(0), { metadata: {} });
  assert.equal(await formatOf(), undefined);
  await createStreams(requests, 1);
  assert.equal(await formatOf(), "2");
  await manager.streams.update(logStream(0), { metadata: { voda_format: "3" } });
  await assert.rejects(createStreams(requests, 1), /VODA_LOG_0 is of format 3; .* knows formats up to 2/);
  assert.equal(await formatOf(), "3");
});

test("a last record that cannot be read is told from an empty lane by what else is there", async (t) => {
  const { store, commit } = await rig(t);
  assert.equal(await store.traces(token), "nothing");
  await store.publishName(token, name, true);
  assert.equal(await store.traces(token), "name");
  await fill(commit, token, 2);
  assert.equal(await store.traces(token), "records");
  const last = await store.last(token);
  assert.ok(last !== undefined && Math.abs(Date.now() - last.atMs) < 60_000);
  assert.equal((await store.lastFromLeader(token))?.atMs, last.atMs);
});
