import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { bodyBytesMax, framesSubject } from "@voda/proto/wire";
import { systemClock } from "@voda/stdx";
import { leakCheck, type Nats, startNats, waitUntil } from "@voda/test/kit";
import { type CallParts, plainCall } from "../../test/call.ts";
import {
  type Answer,
  type AnswerMeta,
  type Call,
  type CallHead,
  createNumbers,
  decodeAnswer,
  encodeCall,
  type Reply,
  type Submit,
} from "../call/index.ts";
import { draft, type FrameDraft, frameLength } from "../frame/index.ts";
import { type Connection, openConnection } from "../nats/index.ts";
import { answersAwayBytesMax, answersPatienceMs, answersWaitBytesMax } from "./answer-window.ts";
import { decodeBatch, encodeBatch, type Sender } from "./batch.ts";
import { peerBytesMax, peerCallsMax } from "./bus.ts";
import { type Bus, type Outcome, openBus, type PeerName } from "./index.ts";

interface Served {
  readonly call: Call;
  readonly reply: Reply;
  /** Why it was taken back. */
  cancelled: string | undefined;
}
interface Peer {
  readonly bus: Bus;
  readonly connection: Connection;
  readonly served: Served[];
  readonly malformed: Error[];
  /** The life that it certainly has. */
  life: string | undefined;
}

async function rig(context: TestContext): Promise<{ server: Nats; peer: (node: string) => Promise<Peer> }> {
  const nothingLeaked = leakCheck();
  const cleanup = new AsyncDisposableStack();
  context.after(async () => {
    await cleanup.disposeAsync();
    await nothingLeaked();
  });
  const server = cleanup.use(await startNats());
  const open = async (node: string): Promise<Peer> => {
    const connection = cleanup.use(await openConnection({ url: server.url, name: node }));
    const served: Served[] = [];
    const malformed: Error[] = [];
    const onCall: Submit = (call, reply) => {
      const one: Served = { call, reply, cancelled: undefined };
      served.push(one);
      return (why) => {
        one.cancelled = why;
      };
    };
    const bus = cleanup.use(
      openBus({
        connection,
        node,
        clock: systemClock,
        numbers: createNumbers(firstNumber),
        life: () => peer.life,
        onCall,
        onMalformed: (error) => malformed.push(error),
      }),
    );
    await connection.nats.flush();
    const peer: Peer = { bus, connection, served, malformed, life: lifeOf(node, 1) };
    return peer;
  };
  return { server, peer: open };
}

/** What counts calls has no end at 2^32. */
const firstNumber = 2 ** 32 - 3;
const utf8 = new TextEncoder();
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
let sent = 0;
const callWith = (more: CallParts = {}): Call =>
  plainCall((sent += 1), systemClock.monotonicMs() + 90_000, { body: utf8.encode('{"n":1}'), ...more });
const answer: Answer = { ok: true, content: "json", body: utf8.encode("2") };
const meta: AnswerMeta = { hint: "10.0.0.1:7000", token: "t" };
const lifeOf = (node: string, number: number): string =>
  Buffer.from(`${node}${number}`.padEnd(16)).toString("hex");
const life = (node: string, number = 1): PeerName => ({ node, incarnation: lifeOf(node, number) });

const call = (from: Peer, to: string, more: CallParts = {}): Promise<Outcome> =>
  new Promise((resolve) => from.bus.call(life(to), callWith(more), resolve));

/** What a peer got, once it has so many calls. */
const calls = (peer: Peer, count: number): Promise<Served[]> =>
  waitUntil(() => peer.served.length >= count && peer.served, `${count} calls arrive`);

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

/** Times travel in whole milliseconds. */
const wholeMs = 1;

test("a call arrives whole at the peer, and its answer whole at the caller", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  const sixteen = (byte: number): Uint8Array => new Uint8Array(16).fill(byte);
  const ids: CallHead["id"][] = [
    { type: "key", id: sixteen(7), keepMs: 600_000, rawHash: sixteen(9) },
    { type: "numbered", client: sixteen(8), seq: 2 ** 40, lowest: 2 ** 39, rawHash: sixteen(1) },
    undefined,
  ];
  for (const [i, type] of (["invoke", "end", "wake"] as const).entries()) {
    const one = callWith({
      head: { type, id: ids[i], hops: 1, readonly: i === 1 },
      name: { namespace: "default", agent: "cart", key: "käthe" },
      traceparent: "00-1-2-3",
    });
    const sentMs = performance.now();
    const outcome = new Promise<Outcome>((resolve) => a.bus.call(life("b"), one, resolve));
    const served = await first(b);
    const { number, deadlineMs } = served.call.head;
    assert.deepEqual(served.call, { ...one, head: { ...one.head, number, deadlineMs } });
    assert.ok(number >= firstNumber);
    const laterMs = deadlineMs - one.head.deadlineMs; // it travels as the time that is left
    assert.ok(laterMs >= -wholeMs && laterMs <= performance.now() - sentMs + wholeMs, `${laterMs} ms later`);
    served.reply(answer, meta);
    assert.deepEqual(await outcome, { type: "answered", answer, meta });
    b.served.length = 0;
  }
});

test("a call for a life that the peer does not have, or may not have any more, did not run", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  const old = new Promise<Outcome>((resolve) => a.bus.call(life("b", 2), callWith(), resolve));
  assert.deepEqual(await old, { type: "undelivered" });
  b.life = undefined;
  assert.deepEqual(await call(a, "b"), { type: "undelivered" });
  assert.equal(b.served.length, 0);
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

test("all calls of one tick are one message, and each gets its own answer", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  const before = a.connection.nats.stats().outMsgs;
  const outcomes = Array.from({ length: 500 }, (_, i) => call(a, "b", { body: utf8.encode(`${i}`) }));
  const served = await calls(b, 500);
  assert.equal(a.connection.nats.stats().outMsgs - before, 1);
  for (const { call: got, reply } of served.toReversed())
    reply({ ok: true, content: "json", body: got.body }, {});
  const bodies = (await Promise.all(outcomes)).map((outcome) =>
    outcome.type === "answered" && outcome.answer.ok ? text(outcome.answer.body) : "",
  );
  assert.deepEqual(
    bodies,
    outcomes.map((_, i) => `${i}`),
  );
});

test("the largest bodies pass, several in one tick", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  const body = new Uint8Array(bodyBytesMax).fill(3);
  const outcomes = [1, 2, 3].map(() => call(a, "b", { body }));
  for (const { call: got, reply } of await calls(b, 3))
    reply({ ok: true, content: "proto", body: got.body }, {});
  for (const outcome of await Promise.all(outcomes)) {
    assert.ok(outcome.type === "answered" && outcome.answer.ok);
    assert.equal(Buffer.compare(outcome.answer.body, body), 0);
  }
});

test("a call that is taken back is cancelled at the peer and answered to nobody", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  const take = a.bus.call(life("b"), callWith(), () => assert.fail("taken back"));
  const served = await first(b);
  take("deadline");
  await waitUntil(() => served.cancelled === "deadline", "the call is cancelled at the peer");
  served.reply(answer, {});
  const next = call(a, "b");
  (await calls(b, 2))[1]?.reply({ ...answer, body: utf8.encode("next") }, {});
  const outcome = await next;
  assert.ok(outcome.type === "answered" && outcome.answer.ok);
  assert.equal(text(outcome.answer.body), "next");
});

test("a call to a node that is not there did not run, and that is known at once", async (t) => {
  const { peer } = await rig(t);
  const a = await peer("a");
  assert.deepEqual(await call(a, "nobody"), { type: "undelivered" });
});

test("when nobody listens at a node any more, what it got before is lost, and what others got goes on", async (t) => {
  const { peer } = await rig(t);
  const [a, b, c] = [await peer("a"), await peer("b"), await peer("c")];
  const lost = call(a, "b");
  await calls(b, 1);
  const kept = call(a, "c");
  const served = await first(c);
  await b.bus[Symbol.asyncDispose]();
  await b.connection.nats.flush(); // the server has heard of it, which a closed socket does not say
  assert.deepEqual(await call(a, "b"), { type: "undelivered" });
  assert.deepEqual(await lost, { type: "lost" });
  served.reply(answer, {});
  assert.equal((await kept).type, "answered");
});

test("the calls to a life of a peer that ended are lost; those to others and to its next life go on", async (t) => {
  const { peer } = await rig(t);
  const [a, b, c] = [await peer("a"), await peer("b"), await peer("c")];
  const [lost, kept] = [call(a, "b"), call(a, "c")];
  await calls(b, 1);
  b.life = lifeOf("b", 2);
  const next = new Promise<Outcome>((resolve) => a.bus.call(life("b", 2), callWith(), resolve));
  const served = await calls(b, 2);
  a.bus.peersLost((incarnation) => incarnation === lifeOf("b", 1));
  assert.deepEqual(await lost, { type: "lost" });
  (await first(c)).reply(answer, {});
  assert.equal((await kept).type, "answered");
  served[1]?.reply(answer, {});
  assert.equal((await next).type, "answered");
});

test("an answer that was just given leaves, though its peer has no call here any more", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  const outcome = call(a, "b");
  (await first(b)).reply(answer, {});
  b.bus.peersLost(() => false);
  assert.equal((await outcome).type, "answered");
});

test("an answer to the process that had the node's id before is not taken for one's own", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  a.bus.call(life("b"), callWith(), () => undefined);
  const served = await first(b);
  await a.bus[Symbol.asyncDispose]();
  const again = await peer("a");
  const outcome = call(again, "b");
  const [, second] = await calls(b, 2);
  served.reply({ ...answer, body: utf8.encode("old") }, {});
  second?.reply({ ...answer, body: utf8.encode("new") }, {});
  const got = await outcome;
  assert.ok(got.type === "answered" && got.answer.ok);
  assert.equal(text(got.answer.body), "new");
});

test("beyond the bound of calls a peer's queue is full, until answers come", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  let answered = 0;
  for (let i = 0; i < peerCallsMax; i += 1) a.bus.call(life("b"), callWith(), () => (answered += 1));
  assert.deepEqual(failureOf(await call(a, "b")), { code: "resource_exhausted", reason: "queue_full" });
  for (const { reply } of await calls(b, peerCallsMax)) reply(answer, {});
  await waitUntil(() => answered === peerCallsMax, "all are answered");
  const again = call(a, "b");
  (await calls(b, peerCallsMax + 1)).at(-1)?.reply(answer, {});
  assert.equal((await again).type, "answered");
});

test("beyond the bound of bytes a peer's queue is full, until one of its calls is answered or taken back", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  const body = new Uint8Array(bodyBytesMax);
  const most = Math.floor(peerBytesMax / bodyBytesMax) - 1; // what each adds to its body makes it one less
  const sending = Array.from({ length: most }, () =>
    a.bus.call(life("b"), callWith({ body }), () => undefined),
  );
  const isFull = async (): Promise<void> =>
    assert.deepEqual(failureOf(await call(a, "b", { body })), {
      code: "resource_exhausted",
      reason: "queue_full",
    });
  await isFull();
  sending[0]?.("caller");
  const next = call(a, "b", { body });
  await isFull();
  const served = await calls(b, most + 1);
  served.at(-1)?.reply(answer, {});
  assert.equal((await next).type, "answered");
  const last = call(a, "b", { body });
  await isFull();
  (await calls(b, most + 2)).at(-1)?.reply(answer, {});
  assert.equal((await last).type, "answered");
});

/** A node whose process takes what the server has for it, and says so when the test does. */
async function openMute(server: Nats, node: string) {
  const connection = await openConnection({ url: server.url, name: node });
  const sender = { node, processId: 7 };
  const answers = new Map<number, Answer>();
  let owner: Sender = { node: "owner", processId: 0 };
  let untold = 0;
  connection.nats.subscribe(framesSubject(node, 0), {
    callback: (_, { data }) =>
      decodeBatch(new Uint8Array(data), (from, frame) => {
        owner = from;
        untold += frameLength(0, frame.meta().length, frame.payloadLength);
        answers.set(frame.call, decodeAnswer(frame.payloadCopy()));
      }),
  });
  await connection.nats.flush();
  const send = (...frames: FrameDraft[]): void =>
    connection.nats.publish(framesSubject(owner.node, 0), encodeBatch(sender, frames));
  return {
    connection,
    answers,
    call(count: number, isReadonly = true): void {
      const frames = Array.from({ length: count }, () => {
        const one = callWith({ head: { readonly: isReadonly } });
        const meant = { life: Uint8Array.fromHex(lifeOf(owner.node, 1)) };
        const more = { kind: 1, call: one.head.number, processId: sender.processId, ...meant };
        return Object.assign(encodeCall(one, systemClock.monotonicMs()), more);
      });
      send(...frames);
    },
    tellTaken(): void {
      send(draft({ kind: 5, call: untold, processId: owner.processId }));
      untold = 0;
    },
  };
}

test("answers that a peer does not take wait, so many bytes of them; then they are refused, and calls before them", async (t) => {
  const { server, peer } = await rig(t);
  const owner = await peer("owner");
  const mute = await openMute(server, "mute");
  await using _ = mute.connection;
  const large: Answer = { ok: true, content: "json", body: new Uint8Array(2 ** 20) };
  const count = 2 * (answersWaitBytesMax / 2 ** 20);
  mute.call(count - 1);
  mute.call(1, false);
  for (const { reply } of await calls(owner, count)) reply(large, {});
  mute.call(10); // they do not begin
  await owner.connection.nats.flush();
  await mute.connection.nats.flush();
  assert.ok(mute.answers.size <= answersAwayBytesMax / 2 ** 20, `${mute.answers.size} answers are away`);
  await waitUntil(() => {
    mute.tellTaken();
    return mute.answers.size === count + 10;
  }, "each call is answered once they are taken");
  const reasons = [...mute.answers.values()].map((one) => (one.ok ? "ok" : one.failure.reason));
  const told = Object.fromEntries(
    Object.entries(Object.groupBy(reasons, (reason) => reason)).map(([reason, all = []]) => [
      reason,
      all.length,
    ]),
  );
  const most = (answersAwayBytesMax + answersWaitBytesMax) / 2 ** 20;
  const { ok = 0, queue_full: refused = 0, answer_not_kept: lost = 0 } = told;
  assert.ok(ok <= most && ok > most - 4, JSON.stringify(told));
  assert.deepEqual(
    [refused, lost],
    [count - 1 - ok + 10, 1],
    "a turn that was done is not said to be refused",
  );
  assert.equal(owner.served.length, count);
});

test("answers that were given leave before a bus closes", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  const large: Answer = { ok: true, content: "json", body: new Uint8Array(2 ** 20) };
  const outcomes = Array.from({ length: 12 }, () => call(a, "b"));
  for (const { reply } of await calls(b, 12)) reply(large, {});
  await b.bus[Symbol.asyncDispose]();
  for (const outcome of await Promise.all(outcomes)) assert.equal(outcome.type, "answered");
});

test("large answers go on as their peer takes them", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  const large: Answer = { ok: true, content: "json", body: new Uint8Array(2 ** 20) };
  const sentMs = performance.now();
  for (let round = 0; round < 4; round += 1) {
    const outcomes = Array.from({ length: 12 }, () => call(a, "b"));
    for (const { reply } of (await calls(b, 12)).splice(0)) reply(large, {});
    for (const outcome of await Promise.all(outcomes))
      assert.ok(outcome.type === "answered" && outcome.answer.ok);
  }
  const stalls = (48 * 2 ** 20) / answersAwayBytesMax;
  assert.ok(
    performance.now() - sentMs < (stalls / 2) * answersPatienceMs,
    "none has waited until it is given up",
  );
});

test("a bus that closes ends its calls as closed, and takes no more", async (t) => {
  const { peer } = await rig(t);
  const [a, b] = [await peer("a"), await peer("b")];
  const flying = call(a, "b");
  await first(b);
  await a.bus[Symbol.asyncDispose]();
  assert.deepEqual(failureOf(await flying), { code: "unavailable", reason: "closed" });
  assert.deepEqual(await call(a, "b"), { type: "undelivered" });
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
  await waitUntil(() => b.malformed.length === 3, "all three are told");
  const outcome = call(a, "b");
  (await first(b)).reply(answer, meta);
  assert.equal((await outcome).type, "answered");
});
