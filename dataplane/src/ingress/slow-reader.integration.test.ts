// Callers who ask and do not read.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { connect as connectTcp } from "node:net";
import { type TestContext, test } from "node:test";
import { bodyBytesMax } from "@voda/proto/wire";
import { systemClock } from "@voda/stdx";
import { waitUntil } from "@voda/test/kit";
import { type Bed, openBed, proof, within } from "../../test/ingress-bed.ts";
import { pipelinedMax, unsentBytesMax, unsentMsMax } from "./limits.ts";

/** A clock that a test puts forward. */
function openClock(): typeof systemClock & { forward(ms: number): void } {
  let ahead = 0;
  return {
    wallMs: () => systemClock.wallMs() + ahead,
    monotonicMs: () => systemClock.monotonicMs() + ahead,
    forward: (ms) => void (ahead += ms),
  };
}

/** Never gives the node leave to send a byte of a body. */
function openDeaf(t: TestContext, bed: Bed): ClientHttp2Session {
  const session = connect(bed.url, { settings: { initialWindowSize: 0 } });
  session.on("error", () => undefined);
  t.after(() => session.destroy());
  return session;
}

/** Whether by an error or not. */
const closeOf = (session: ClientHttp2Session) => new Promise((resolve) => session.once("close", resolve));

function ask(session: ClientHttp2Session, more: Record<string, string> = {}): ClientHttp2Stream {
  const stream = session.request(
    { ":method": "POST", ":path": "/agents/probe/k/echo", ...more },
    { endStream: true },
  );
  stream.on("error", () => undefined);
  return stream;
}

const json = { "content-type": "application/json" };
const large = { ok: true, content: "json", body: Buffer.alloc(bodyBytesMax, 32) } as const;

test("an answer that nobody reads is cut after a time, and its connection with it", async (t) => {
  const clock = openClock();
  const bed = await openBed(t, { clock });
  bed.answer = large;
  const session = openDeaf(t, bed);
  const stream = ask(session);
  const cut = new Promise((resolve) => stream.on("error", resolve));
  const told = new Promise<number>((resolve) => session.once("goaway", resolve));
  const closed = closeOf(session);
  await once(stream, "response");
  clock.forward(unsentMsMax / 2);
  assert.equal(
    await (await fetch(`${bed.url}/agents/probe/k/echo`, { method: "POST" }))
      .text()
      .then((text) => text.length),
    bodyBytesMax,
  );
  assert.equal(session.closed, false);
  clock.forward(unsentMsMax / 2);
  await within("the connection ends", closed);
  await within("half an answer is not taken for a whole one", cut);
  assert.equal(await told, constants.NGHTTP2_ENHANCE_YOUR_CALM);
});

test("of Envoy's connection only the call is cut", async (t) => {
  const clock = openClock();
  const bed = await openBed(t, { clock });
  bed.answer = large;
  const session = openDeaf(t, bed);
  const stream = ask(session, proof);
  await once(stream, "response");
  const closed = new Promise((resolve) => stream.on("close", resolve));
  clock.forward(unsentMsMax);
  await within("the call is cut", closed);
  bed.answer = { ok: true, content: "json", body: new Uint8Array(0) };
  const [headers] = (await once(ask(session, proof), "response")) as [Record<string, string>];
  assert.equal(headers[":status"], 200);
});

test("an HTTP/1.1 caller who does not read is cut too", async (t) => {
  const clock = openClock();
  const bed = await openBed(t, { clock });
  bed.answer = large;
  const socket = connectTcp(bed.ingress.port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.on("error", () => undefined);
  const post = "POST /agents/probe/k/echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
  socket.write(post.repeat(4));
  await waitUntil(() => bed.seen.length > 0, "answers wait");
  const later = openDeaf(t, bed);
  const gone = closeOf(later);
  await once(ask(later), "response");
  clock.forward(unsentMsMax);
  await within("one that has waited less is cut", gone);
  const closed = once(socket, "close");
  let bytes = 0;
  socket.on("data", (chunk: Buffer) => (bytes += chunk.length));
  await within("the connection is cut", closed);
  assert.ok(bytes < 4 * bodyBytesMax, `${bytes} bytes came all the same`);
});

test("requests in a row begin while few answers of their connection are on their way", async (t) => {
  const bed = await openBed(t);
  const socket = connectTcp(bed.ingress.port, "127.0.0.1");
  t.after(() => socket.destroy());
  const post = "POST /agents/probe/k/hang HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
  socket.write(post.repeat(2 * pipelinedMax));
  const hanging = [];
  for (let i = 0; i < pipelinedMax; i += 1) hanging.push(await bed.nextHanging());
  const served = await fetch(`${bed.url}/agents/probe/k/echo`, { method: "POST", body: "1", headers: json });
  assert.equal(served.status, 200, "of others more begin");
  assert.equal(bed.seen.length, pipelinedMax + 1);
  let answers = 0;
  socket.on("data", (chunk: Buffer) => (answers += chunk.toString().split("HTTP/1.1 200").length - 1));
  for (const { reply } of hanging) reply({ ok: true, content: "json", body: Buffer.from("1") }, {});
  for (let i = 0; i < pipelinedMax; i += 1)
    (await bed.nextHanging()).reply({ ok: true, content: "json", body: Buffer.from("2") }, {});
  await waitUntil(() => answers === 2 * pipelinedMax, "all are answered");
  socket.write(post);
  (await bed.nextHanging()).reply({ ok: true, content: "json", body: Buffer.from("3") }, {});
  await waitUntil(() => answers === 2 * pipelinedMax + 1, "and what comes later");
});

test("of a connection that ends no request begins that waited in its line", async (t) => {
  const bed = await openBed(t);
  const socket = connectTcp(bed.ingress.port, "127.0.0.1");
  const post = "POST /agents/probe/k/hang HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
  socket.write(post.repeat(2 * pipelinedMax));
  const hanging = [];
  for (let i = 0; i < pipelinedMax; i += 1) hanging.push(await bed.nextHanging());
  socket.destroy();
  // the connection is not read from: the first answer that is sent finds that nobody is there
  const [first, ...others] = hanging;
  first?.reply(large, {});
  await within("the others are taken back", Promise.all(others.map(({ cancelled }) => cancelled)));
  await new Promise(setImmediate);
  assert.equal(bed.seen.length, pipelinedMax);
});

test("beyond what all unread answers may take the oldest are cut, and others are served", async (t) => {
  const bed = await openBed(t);
  bed.answer = large;
  const first = openDeaf(t, bed);
  const gone = closeOf(first);
  const count = unsentBytesMax / bodyBytesMax;
  for (let i = 0; i < count / 2; i += 1) ask(first);
  const second = openDeaf(t, bed);
  await waitUntil(() => bed.seen.length === count / 2, "half of it waits");
  for (let i = 0; i < count / 2; i += 1) ask(second);
  await waitUntil(() => bed.seen.length === count, "all of it waits");
  assert.equal(first.closed, false);
  const served = await fetch(`${bed.url}/agents/probe/k/echo`, { method: "POST" });
  assert.equal((await served.text()).length, bodyBytesMax);
  await within("the one that has waited longest ends", gone);
  assert.equal(second.closed, false);
});
