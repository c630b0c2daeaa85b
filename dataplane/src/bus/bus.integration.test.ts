import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { sessionToken } from "@voda/proto/session";
import { bodyBytesMax, framesSubject } from "@voda/proto/wire";
import { leakCheck, type Nats, startNats, waitUntil } from "@voda/test/kit";
import type { Answer, Invocation } from "../invocation.ts";
import type { CallKind } from "../lane/index.ts";
import { type Connection, openConnection } from "../nats/index.ts";
import {
  type AnswerMeta,
  type Bus,
  type BusReply,
  type Outcome,
  openBus,
  type PeerName,
  peerCallsMax,
} from "./index.ts";

interface Served {
  readonly kind: CallKind;
  readonly invocation: Invocation;
  readonly reply: BusReply;
  cancelled: boolean;
}
interface Peer {
  readonly bus: Bus;
  readonly connection: Connection;
  readonly served: Served[];
  readonly malformed: Error[];
}

async function rig(context: TestContext): Promise<{ server: Nats; peer: (node: string) => Promise<Peer> }> {
  const nothingLeaked = leakCheck();
  const cleanup = new AsyncDisposableStack();
  context.after(async () => {
    await cleanup.disposeAsync();
    await nothingLeaked();
  });
  const server = cleanup.use(await startNats());
  const peer = async (node: string): Promise<Peer> => {
    const connection = cleanup.use(await openConnection({ url: server.url, name: node }));
    const served: Served[] = [];
    const malformed: Error[] = [];
    const onCall = (kind: CallKind, invocation: Invocation, reply: BusReply): (() => void) => {
      const call: Served = { kind, invocation, reply, cancelled: false };
      served.push(call);
      return () => {
        call.cancelled = true;
      };
    };
    const bus = cleanup.use(
      openBus({ connection, node, onCall, onMalformed: (error) => malformed.push(error) }),
    );
    await connection.nats.flush();
    return { bus, connection, served, malformed };
  };
  return { server, peer };
}

const name = { namespace: "default", agent: "cart", key: "käthe" };
const utf8 = new TextEncoder();
const invocation = (more: Partial<Invocation> = {}): Invocation => ({
  name,
  token: sessionToken(name),
  method: "add",
  readonly: false,
  content: "json",
  body: utf8.encode('{"n":1}'),
  deadlineMs: Date.now() + 30_000,
  id: new Uint8Array(16).fill(7),
  keepMs: 600_000,
  bodyHash: new Uint8Array(16).fill(9),
  caller: "anonymous",
  traceparent: "00-1-2-3",
  hops: 1,
  grant: undefined,
  ...more,
});
const answer: Answer = { ok: true, content: "json", body: utf8.encode("2") };
const meta: AnswerMeta = { hint: "10.0.0.1:7000", token: "t" };
const soon = 3_000;
const life = (node: string): PeerName => ({ node, incarnation: `${node}1` });

const call = (
  from: Peer,
  to: string,
  kind: CallKind = "invoke",
  more: Partial<Invocation> = {},
): Promise<Outcome> => new Promise((resolve) => from.bus.call(life(to), kind, invocation(more), resolve));

/** What a peer got, once it has so many calls. */
const calls = (peer: Peer, count: number): Promise<Served[]> =>
  waitUntil(() => peer.served.length >= count && peer.served, soon, `${count} calls arrive`);

async function first(peer: Peer): Promise<Served> {
  const [served] = await calls(peer, 1);
  assert.ok(served !== undefined);
  return served;
}

function failureOf(outcome: Outcome): { code: string; reason: string } {
  assert.ok(outcome.type === "answered" && !outcome.answer.ok);
  const { code, reason } = outcome.answer.failure;
  return { code, reason };
}

test("a call arrives whole at the peer, and its answer whole at the caller", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  for (const kind of ["invoke", "end", "wake"] as const) {
    const sent = invocation();
    const outcome = new Promise<Outcome>((resolve) => a.bus.call(life("b"), kind, sent, resolve));
    const served = await first(b);
    assert.equal(served.kind, kind);
    assert.deepEqual(served.invocation, sent);
    served.reply(answer, meta);
    assert.deepEqual(await outcome, { type: "answered", answer, meta });
    b.served.length = 0;
  }
});

test("a failure keeps its code, reason and words over the way", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  const failed: Answer = {
    ok: false,
    failure: { code: "not_found", reason: "no_such_item", message: "no item 7", retryAfterMs: 50 },
  };
  const outcome = call(a, "b");
  (await first(b)).reply(failed, {});
  assert.deepEqual(await outcome, { type: "answered", answer: failed, meta: {} });
});

test("all calls of one turn are one message, and each gets its own answer", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  const before = a.connection.nats.stats().outMsgs;
  const outcomes = Array.from({ length: 500 }, (_, i) =>
    call(a, "b", "invoke", { body: utf8.encode(`${i}`) }),
  );
  const served = await calls(b, 500);
  assert.equal(a.connection.nats.stats().outMsgs - before, 1);
  for (const { invocation: got, reply } of served.toReversed())
    reply({ ok: true, content: "json", body: got.body }, {});
  const bodies = (await Promise.all(outcomes)).map((outcome) =>
    outcome.type === "answered" && outcome.answer.ok ? new TextDecoder().decode(outcome.answer.body) : "",
  );
  assert.deepEqual(
    bodies,
    outcomes.map((_, i) => `${i}`),
  );
});

test("the largest bodies pass, several in one turn", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  const body = new Uint8Array(bodyBytesMax).fill(3);
  const outcomes = [1, 2, 3].map(() => call(a, "b", "invoke", { body }));
  for (const { invocation: got, reply } of await calls(b, 3))
    reply({ ok: true, content: "proto", body: got.body }, {});
  for (const outcome of await Promise.all(outcomes)) {
    assert.ok(outcome.type === "answered" && outcome.answer.ok);
    assert.equal(Buffer.compare(outcome.answer.body, body), 0);
  }
});

test("a call that is taken back is cancelled at the peer and answered to nobody", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  const take = a.bus.call(life("b"), "invoke", invocation(), () => assert.fail("taken back"));
  const served = await first(b);
  take();
  await waitUntil(() => served.cancelled, soon, "the call is cancelled at the peer");
  served.reply(answer, {});
  const next = call(a, "b"); // takes the same slot
  (await calls(b, 2))[1]?.reply({ ...answer, body: utf8.encode("next") }, {});
  const outcome = await next;
  assert.ok(outcome.type === "answered" && outcome.answer.ok);
  assert.equal(new TextDecoder().decode(outcome.answer.body), "next");
});

test("a call to a node that is not there did not run, and that is known at once", async (t) => {
  const { peer } = await rig(t);
  const a = await peer("a");
  assert.deepEqual(await call(a, "nobody"), { type: "undelivered" });
});

test("the calls to a life of a peer that ended are lost; those to others and to its next life go on", async (t) => {
  const { peer } = await rig(t);
  const [a, b, c] = [await peer("a"), await peer("b"), await peer("c")];
  const [lost, kept] = [call(a, "b"), call(a, "c")];
  const next = new Promise<Outcome>((resolve) =>
    a.bus.call({ node: "b", incarnation: "b2" }, "invoke", invocation(), resolve),
  );
  const served = await calls(b, 2);
  a.bus.peersLost((incarnation) => incarnation === "b1");
  assert.deepEqual(await lost, { type: "lost" });
  (await first(c)).reply(answer, {});
  assert.equal((await kept).type, "answered");
  served[1]?.reply(answer, {});
  assert.equal((await next).type, "answered");
});

test("an answer to the process that had the node's id before is not taken for one's own", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  a.bus.call(life("b"), "invoke", invocation(), () => undefined);
  const served = await first(b);
  await a.bus[Symbol.asyncDispose]();
  const again = await peer("a");
  const outcome = call(again, "b");
  const [, second] = await calls(b, 2);
  served.reply({ ...answer, body: utf8.encode("old") }, {});
  second?.reply({ ...answer, body: utf8.encode("new") }, {});
  const got = await outcome;
  assert.ok(got.type === "answered" && got.answer.ok);
  assert.equal(new TextDecoder().decode(got.answer.body), "new");
});

test("a call that nobody answers ends at its deadline", async (t) => {
  const { peer } = await rig(t);
  const [a] = [await peer("a"), await peer("b")];
  const outcome = await call(a, "b", "invoke", { deadlineMs: Date.now() + 50 });
  assert.deepEqual(failureOf(outcome), { code: "deadline_exceeded", reason: "turn_timeout" });
});

test("beyond the bound of calls a peer's queue is full, until answers come", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  let answered = 0;
  for (let i = 0; i < peerCallsMax; i += 1)
    a.bus.call(life("b"), "invoke", invocation(), () => (answered += 1));
  assert.deepEqual(failureOf(await call(a, "b")), { code: "resource_exhausted", reason: "queue_full" });
  for (const { reply } of await calls(b, peerCallsMax)) reply(answer, {});
  await waitUntil(() => answered === peerCallsMax, soon, "all are answered");
  const again = call(a, "b");
  (await calls(b, peerCallsMax + 1)).at(-1)?.reply(answer, {});
  assert.equal((await again).type, "answered");
});

test("when the connection breaks, calls on their way are lost and new ones undelivered", async (t) => {
  const { peer, server } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  const flying = call(a, "b");
  await first(b);
  await server.kill9();
  assert.deepEqual(await flying, { type: "lost" });
  assert.deepEqual(await call(a, "b"), { type: "undelivered" });
});

test("bytes that are no frames are told and harm nobody", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  for (const bytes of [new Uint8Array(0), new Uint8Array(40).fill(1), utf8.encode("hello")]) {
    a.connection.nats.publish(framesSubject("b", 0), bytes);
  }
  await waitUntil(() => b.malformed.length === 3, soon, "all three are told");
  const outcome = call(a, "b");
  (await first(b)).reply(answer, meta);
  assert.equal((await outcome).type, "answered");
});
