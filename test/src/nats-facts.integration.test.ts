// What the design takes for granted of a nats-server with one replica, each fact by itself. A new version of
// the server must pass.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Kvm } from "@nats-io/kv";
import { headers, type NatsConnection } from "@nats-io/transport-node";
import { freeze, leakCheck, type Nats, startNats, waitUntil } from "@voda/test/kit";

const expected = "Nats-Expected-Last-Subject-Sequence";
const fenced = "Nats-Expected-Last-Subject-Sequence-Subject";
type HeaderPairs = Readonly<Record<string, string | number>>;
interface Answer {
  readonly seq: number;
  readonly duplicate?: boolean;
  readonly count?: number;
  readonly error?: { readonly err_code: number; readonly description: string };
}

let server: Nats;
let nats: NatsConnection;
let nothingLeaked: () => Promise<void>;

before(async () => {
  nothingLeaked = leakCheck();
  server = await startNats();
  nats = await server.connect();
});
after(async () => {
  await server.stop();
  await nothingLeaked();
});

const withHeaders = (of: HeaderPairs) => {
  const made = headers();
  for (const [name, value] of Object.entries(of)) made.set(name, String(value));
  return made;
};

const publish = async (
  subject: string,
  of: HeaderPairs = {},
  body = "x",
  connection = nats,
): Promise<Answer> =>
  (await connection.request(subject, body, { headers: withHeaders(of), timeout: 10_000 })).json<Answer>();

const api = async <T = Answer>(subject: string, body: object, connection = nats): Promise<T> =>
  (await connection.request(`$JS.API.${subject}`, JSON.stringify(body))).json<T>();

async function acked(subject: string, of: HeaderPairs = {}, body = "x"): Promise<number> {
  const answer = await publish(subject, of, body);
  assert.equal(answer.error, undefined);
  return answer.seq;
}

async function refused(code: number, subject: string, of: HeaderPairs): Promise<void> {
  assert.equal((await publish(subject, of)).error?.err_code, code);
}

/** A stream with the subjects `<name>.>` and all that voda's log has. */
async function stream(name: string, more: object = {}, connection = nats): Promise<void> {
  const flags = {
    allow_direct: true,
    allow_atomic: true,
    allow_msg_ttl: true,
    allow_msg_schedules: true,
    allow_rollup_hdrs: true,
  };
  const config = { name, subjects: [`${name}.>`], storage: "file", num_replicas: 1, ...flags, ...more };
  assert.equal((await api(`STREAM.CREATE.${name}`, config, connection)).error, undefined);
}

const messages = async (name: string, connection = nats): Promise<number> =>
  (await api<{ state: { messages: number } }>(`STREAM.INFO.${name}`, {}, connection)).state.messages;

interface Found {
  readonly seq: number;
  readonly subject: string;
  readonly storedMs: number;
  readonly header: (name: string) => string;
}
async function direct(name: string, query: object, connection = nats): Promise<Found | undefined> {
  const found = await connection.request(`$JS.API.DIRECT.GET.${name}`, JSON.stringify(query));
  if (found.headers?.code === 404) return undefined;
  const header = (key: string) => found.headers?.get(key) ?? "";
  const storedMs = Date.parse(header("Nats-Time-Stamp"));
  return { seq: Number(header("Nats-Sequence")), subject: header("Nats-Subject"), storedMs, header };
}

const purge = (name: string, filter: string, more: object = {}) =>
  api(`STREAM.PURGE.${name}`, { filter, ...more });

test("kill -9 loses nothing that was acknowledged", async () => {
  await using own = await startNats();
  const first = await own.connect({ reconnect: false });
  await stream("k", {}, first);
  const answers = await Promise.all(Array.from({ length: 500 }, (_, i) => publish(`k.${i}`, {}, "x", first)));
  assert.ok(answers.every((answer) => answer.error === undefined));
  await own.kill9();
  await first.closed();
  await own.restart();
  const second = await own.connect();
  assert.equal(await messages("k", second), 500);
  await second.close();
});

test("an expectation of 0 holds once, a stale one is refused with 10071, other subjects do not matter", async () => {
  await stream("f");
  const first = await acked("f.a", { [expected]: 0 });
  await refused(10071, "f.a", { [expected]: 0 });
  await acked("f.b", { [expected]: 0 });
  await acked("f.a", { [expected]: first });
  await refused(10071, "f.a", { [expected]: first });
});

test("a message id that was seen answers duplicate only if the expectation still holds", async () => {
  await stream("x");
  const seq = await acked("x.a", { "Nats-Msg-Id": "m", [expected]: 0 });
  await refused(10071, "x.a", { "Nats-Msg-Id": "m", [expected]: 0 });
  for (const given of [{ "Nats-Msg-Id": "m" }, { "Nats-Msg-Id": "m", [expected]: seq }]) {
    const again = await publish("x.a", given);
    assert.deepEqual([again.seq, again.duplicate], [seq, true]);
  }
});

test("one wildcard fence covers two subjects of a lane, and what is outside does not move it", async () => {
  await stream("w");
  const fence = { [fenced]: "w.1.d.*" };
  const first = await acked("w.1.d.p", { ...fence, [expected]: 0 });
  await refused(10071, "w.1.d.o", { ...fence, [expected]: 0 });
  const second = await acked("w.1.d.o", { ...fence, [expected]: first });
  await acked("w.1.m");
  await acked("w.2.d.p", { [fenced]: "w.2.d.*", [expected]: 0 });
  const third = await acked("w.1.d.p", { ...fence, [expected]: second });
  await acked("w.1.m");
  await refused(10071, "w.1.d.p", { [fenced]: "w.1.>", [expected]: third });
});

test("a fence may have its wildcard in the middle, and a publish need not be inside its own fence", async () => {
  await stream("mid");
  const fence = { [fenced]: "mid.*.one" };
  const seq = await acked("mid.a.one", { ...fence, [expected]: 0 });
  await refused(10071, "mid.b.one", { ...fence, [expected]: 0 });
  await acked("mid.b.two", { ...fence, [expected]: seq });
});

test("of two racing writers under one fence exactly one wins, in 300 rounds on one subject and on two", async () => {
  await stream("r");
  const other = await server.connect();
  for (let round = 0; round < 300; round += 1) {
    const of = { [fenced]: `r.${round}.d.*`, [expected]: 0 };
    const rival = round % 2 === 0 ? `r.${round}.d.o` : `r.${round}.d.p`;
    const both = await Promise.all([publish(`r.${round}.d.p`, of), publish(rival, of, "x", other)]);
    const codes = both.map((answer) => answer.error?.err_code ?? 0).sort((a, b) => a - b);
    assert.ok(
      codes[0] === 0 && (codes[1] === 10071 || codes[1] === 10164),
      `round ${round}: ${codes.join(", ")}`,
    );
  }
  await other.close();
});

test("a purge by sequence is absolute; one that empties the subject lets an expectation of 0 in and the old one not", async () => {
  await stream("p");
  const sequences = [await acked("p.a"), await acked("p.a"), await acked("p.a")];
  const last = sequences[2] ?? 0;
  await purge("p", "p.a", { seq: last });
  assert.equal((await direct("p", { seq: 1, next_by_subj: "p.a" }))?.seq, last);
  await purge("p", "p.a", { seq: last });
  assert.equal(await messages("p"), 1);
  await purge("p", "p.a", { seq: last + 1 });
  await refused(10071, "p.a", { [expected]: last });
  await acked("p.a", { [expected]: 0 });
});

test("deleting the last message lets the expectation before it in", async () => {
  await stream("d");
  const first = await acked("d.a");
  const second = await acked("d.a", { [expected]: first });
  await api("STREAM.MSG.DELETE.d", { seq: second });
  await acked("d.a", { [expected]: first });
});

test("the last message under a wildcard is found by a direct get and by the leader's get", async () => {
  await stream("g");
  await acked("g.1.d.p");
  const last = await acked("g.1.d.o");
  await acked("g.2.d.p");
  const found = await direct("g", { last_by_subj: "g.1.d.*" });
  assert.deepEqual([found?.seq, found?.subject], [last, "g.1.d.o"]);
  const leader = await api<{ message: { seq: number } }>("STREAM.MSG.GET.g", { last_by_subj: "g.1.d.*" });
  assert.equal(leader.message.seq, last);
  assert.equal(await direct("g", { last_by_subj: "g.3.d.*" }), undefined);
  assert.equal((await api("STREAM.MSG.GET.g", { last_by_subj: "g.3.d.*" })).error?.err_code, 10037);
});

test("a batched direct get gives both subjects of a lane in order, and several lasts at once", async () => {
  await stream("b");
  const mine = [await acked("b.1.d.p"), await acked("b.1.d.o")];
  const others = await acked("b.2.d.p");
  mine.push(await acked("b.1.d.p"));
  assert.deepEqual(await batched("b", { seq: 1, next_by_subj: "b.1.d.*", batch: 10 }), mine);
  assert.deepEqual(await batched("b", { multi_last: ["b.1.d.p", "b.2.d.*"] }), [others, mine[2]]);
});

async function batched(name: string, query: object): Promise<number[]> {
  const inbox = `_INBOX.facts.${name}`;
  const subscription = nats.subscribe(inbox);
  nats.publish(`$JS.API.DIRECT.GET.${name}`, JSON.stringify(query), { reply: inbox });
  const sequences: number[] = [];
  for await (const message of subscription) {
    if (message.headers?.code === 204) break;
    sequences.push(Number(message.headers?.get("Nats-Sequence")));
  }
  return sequences;
}

test("a message with a time to live goes by itself; it has whole seconds only", async () => {
  await stream("t");
  await acked("t.a", { "Nats-TTL": "1s" });
  await refused(10165, "t.b", { "Nats-TTL": "500ms" });
  await waitUntil(async () => (await messages("t")) === 0, "the message is gone");
});

test("a rollup removes what is before it on its subject, under a fence too", async () => {
  await stream("u");
  const first = await acked("u.1.d.p");
  await acked("u.2.d.p");
  await refused(10071, "u.1.d.p", { "Nats-Rollup": "sub", [fenced]: "u.1.d.*", [expected]: 0 });
  await acked("u.1.d.p", { "Nats-Rollup": "sub", [fenced]: "u.1.d.*", [expected]: first });
  assert.equal(await messages("u"), 2);
});

test("a lease ends after its time with a marker, cannot be renewed then, and can be made anew", async () => {
  const kv = await new Kvm(nats).create("lease", { history: 1, markerTTL: 30_000 });
  const started = performance.now();
  const revision = await kv.create("n.1", "a", "2s");
  await assert.rejects(kv.create("n.1", "b", "2s"), /wrong last sequence/);
  const marker = await waitUntil(
    async () => await direct("KV_lease", { seq: revision + 1, next_by_subj: "$KV.lease.n.1" }),
    "it ends",
  );
  assert.ok(performance.now() - started > 1_500);
  assert.equal(marker.header("Nats-Marker-Reason"), "MaxAge");
  const late = await publish("$KV.lease.n.1", { [expected]: revision, "Nats-TTL": "2s" });
  assert.equal(late.error?.err_code, 10071);
  await kv.create("n.1", "obituary", "24h");
  const later = await publish("$KV.lease.n.1", { [expected]: revision, "Nats-TTL": "2s" });
  assert.equal(later.error?.err_code, 10071);
});

test("a server that is full refuses every stream with files, that of leases too, whatever is reserved; reads and purges go on", async () => {
  await using small = await startNats({ storeBytesMax: 8 << 20 });
  const connection = await small.connect();
  await stream("log", {}, connection);
  const reserved = { max_bytes: 1 << 20, discard: "new", allow_msg_schedules: false };
  await stream("lease", { ...reserved, max_msgs_per_subject: 1 }, connection);
  await publish("lease.a", {}, "x", connection);
  const record = "x".repeat(512 << 10);
  const insufficientResources = 10_023;
  const code = async (subject: string, body = "x"): Promise<number | undefined> =>
    (await publish(subject, {}, body, connection)).error?.err_code;
  let stored = 0;
  while ((await code("log.a", record)) === undefined) stored += 1;
  assert.equal(stored, 16);
  assert.deepEqual(
    [await code("log.b"), await code("lease.a")],
    [insufficientResources, insufficientResources],
  );
  assert.equal(await messages("lease", connection), 1);
  const last = await connection.request("$JS.API.DIRECT.GET.log.log.a", "");
  assert.equal(last.data.length, record.length);
  await api("STREAM.PURGE.log", { filter: "log.a", keep: 8 }, connection);
  assert.deepEqual([await code("log.b"), await code("lease.a")], [undefined, undefined]);
  await connection.close();
});

test("a server that was frozen ends every overdue lease when it wakes", async () => {
  await using own = await startNats();
  const client = await own.connect();
  const kv = await new Kvm(client).create("lease", { history: 1, markerTTL: 30_000 });
  const overdue = await kv.create("n.1", "a", "1s");
  await freeze(own.pid());
  const frozenAt = performance.now();
  await waitUntil(() => performance.now() - frozenAt > 1_800, "the lease is overdue");
  const made = kv.create("n.2", "a", "1s"); // lies in the socket until the server wakes
  own.signal("SIGCONT");
  const fresh = await made;
  const endOf = (key: string, revision: number): Promise<Found> => {
    const query = { seq: revision + 1, next_by_subj: `$KV.lease.${key}` };
    return waitUntil(() => direct("KV_lease", query, client), `the lease of ${key} has ended`);
  };
  const [first, second] = [await endOf("n.1", overdue), await endOf("n.2", fresh)];
  const laterMs = second.storedMs - first.storedMs;
  assert.ok(laterMs > 500, `a lease of 1 s that was made when it woke ended ${laterMs} ms later`);
  await client.close();
});

test("a renewal by raw publish keeps the time to live; the client's update drops it", async () => {
  const kv = await new Kvm(nats).create("renew", { history: 1, markerTTL: 30_000 });
  const updated = await kv.update("updated", "b", await kv.create("updated", "a", "2s"));
  const renewed = await acked("$KV.renew.renewed", {
    [expected]: await kv.create("renewed", "a", "2s"),
    "Nats-TTL": "1s",
  });
  assert.equal((await direct("KV_renew", { seq: updated }))?.header("Nats-TTL"), "");
  assert.equal((await direct("KV_renew", { seq: renewed }))?.header("Nats-TTL"), "1s");
  await waitUntil(async () => (await kv.get("renewed"))?.operation !== "PUT", "the renewed lease ends");
  assert.equal((await kv.get("updated"))?.operation, "PUT");
});

const inFuture = (ms: number) => `@at ${new Date(Date.now() + ms).toISOString()}`;

test("a schedule of the past fires at once onto its target, a later one replaces, a purge cancels", async () => {
  await stream("s");
  const target = { "Nats-Schedule-Target": "s.fired" };
  await acked("s.t.past", { ...target, "Nats-Schedule": inFuture(-60_000) }, "past");
  await waitUntil(async () => (await direct("s", { last_by_subj: "s.fired" })) !== undefined, "it fires");
  await acked("s.t.replaced", { ...target, "Nats-Schedule": inFuture(2_000) });
  await acked("s.t.replaced", { ...target, "Nats-Schedule": inFuture(600_000) });
  await acked("s.t.purged", { ...target, "Nats-Schedule": inFuture(2_000) });
  await purge("s", "s.t.purged");
  await acked("s.t.witness", { ...target, "Nats-Schedule": inFuture(3_000) });
  await waitUntil(
    async () => (await direct("s", { last_by_subj: "s.t.witness" })) === undefined,
    "the witness fires",
  );
  await waitUntil(async () => (await messages("s")) === 3, "two have fired and one waits");
  assert.ok((await direct("s", { last_by_subj: "s.t.replaced" })) !== undefined);
});

test("a schedule's target is another subject of the same stream, and the stream does not discard new messages", async () => {
  await stream("v");
  await refused(10190, "v.t.1", { "Nats-Schedule": inFuture(1_000), "Nats-Schedule-Target": "v.t.1" });
  await refused(10190, "v.t.1", { "Nats-Schedule": inFuture(1_000), "Nats-Schedule-Target": "elsewhere" });
  const config = {
    name: "v2",
    subjects: ["v2.>"],
    allow_msg_schedules: true,
    allow_msg_ttl: true,
    discard: "new",
  };
  assert.match((await api("STREAM.CREATE.v2", config)).error?.description ?? "", /discard new/);
});

test("a schedule survives kill -9", async () => {
  await using own = await startNats();
  const first = await own.connect({ reconnect: false });
  await stream("s", {}, first);
  const answer = await publish(
    "s.t",
    { "Nats-Schedule": inFuture(1_000), "Nats-Schedule-Target": "s.a" },
    "x",
    first,
  );
  assert.equal(answer.error, undefined);
  await own.kill9();
  await first.closed();
  await own.restart();
  const second = await own.connect();
  const fired = async () => !(await api("STREAM.MSG.GET.s", { last_by_subj: "s.a" }, second)).error;
  await waitUntil(fired, "it fires after the restart");
  await second.close();
});

let batches = 0;
/** Publishes all in one atomic batch, the commit as a request. `numbered` may leave holes. */
async function batch(
  entries: readonly (readonly [string, HeaderPairs])[],
  numbered = (i: number) => i + 1,
): Promise<Answer> {
  batches += 1;
  let last: Promise<Answer> | undefined;
  for (const [i, [subject, of]] of entries.entries()) {
    const all = { ...of, "Nats-Batch-Id": `b${batches}`, "Nats-Batch-Sequence": numbered(i) };
    if (i < entries.length - 1) nats.publish(subject, "x", { headers: withHeaders(all) });
    else last = publish(subject, { ...all, "Nats-Batch-Commit": 1 });
  }
  assert.ok(last !== undefined);
  return await last;
}

test("an atomic batch is acknowledged once with dense sequences, or refused whole", async () => {
  await stream("a");
  const good = await batch([
    ["a.1", { [expected]: 0 }],
    ["a.2", { [expected]: 0 }],
    ["a.3", { [expected]: 0 }],
  ]);
  assert.deepEqual([good.error, good.count], [undefined, 3]);
  assert.equal((await direct("a", { last_by_subj: "a.1" }))?.seq, good.seq - 2);
  const stale = await batch([
    ["a.4", { [expected]: 0 }],
    ["a.1", { [expected]: 0 }],
    ["a.5", { [expected]: 0 }],
  ]);
  assert.equal(stale.error?.err_code, 10071);
  assert.equal(await messages("a"), 3);
});

test("inside one atomic batch a wildcard fence lets two subjects in; two expectations on one subject are refused", async () => {
  await stream("ab");
  const of = { [fenced]: "ab.1.d.*", [expected]: 0 };
  assert.equal(
    (
      await batch([
        ["ab.1.d.p", of],
        ["ab.1.d.o", of],
      ])
    ).error,
    undefined,
  );
  const twice = await batch([
    ["ab.2", { [expected]: 0 }],
    ["ab.2", { [expected]: 0 }],
  ]);
  assert.equal(twice.error?.err_code, 10164);
});

test("a hole in an atomic batch, too many messages and a message id twice have codes of their own", async () => {
  await stream("ac");
  const entries = (count: number) => Array.from({ length: count }, (_, i) => [`ac.${i}`, {}] as const);
  assert.equal((await batch(entries(2), (i) => (i === 0 ? 1 : 3))).error?.err_code, 10176);
  assert.equal((await batch(entries(1_001))).error?.err_code, 10199);
  const same = { "Nats-Msg-Id": "same" };
  assert.equal(
    (
      await batch([
        ["ac.x", same],
        ["ac.y", same],
      ])
    ).error?.err_code,
    10201,
  );
  assert.equal(await messages("ac"), 0);
});
