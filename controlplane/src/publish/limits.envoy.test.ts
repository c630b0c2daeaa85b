// Every limit of Envoy, driven to its bound and just over it: what is over is refused with its name, and
// neighbours go on. Long times and large counts are patched short, but not shorter than a busy machine may
// keep a client waiting; what they mean is tested, not how long.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { headersMax } from "@voda/proto/wire";
import { errorReasonOf } from "../../../test/src/kit/errors.ts";
import type { TestIngress, TestServer } from "../../../test/src/kit/ingress.ts";
import { waitUntil } from "../../../test/src/kit/wait.ts";
import { patchSource } from "../../../test/src/patch/patch.ts";

const limits = "controlplane/src/publish/limits.ts";
const connectionsMax = 40;
patchSource(limits, "pickTimeoutMs = 1_000", "pickTimeoutMs = 30_000");
patchSource(limits, "firstBytesMs = 10_000", "firstBytesMs = 2_000");
patchSource(limits, "requestHeadersMs = 30_000", "requestHeadersMs = 2_500");
patchSource(limits, "pingIntervalMs = 30_000", "pingIntervalMs = 500");
patchSource(limits, "pingTimeoutMs = 10_000", "pingTimeoutMs = 2_000");
patchSource(limits, "connectionIdleMs = 600_000", "connectionIdleMs = 3_000");
patchSource(limits, "streamIdleMs = 3_600_000", "streamIdleMs = 3_000");
// Envoy tells a connection that was idle before it closes it, for 5 s more.
patchSource(
  "controlplane/src/publish/listener.ts",
  "streamIdleTimeout: duration(0),",
  "streamIdleTimeout: duration(0), drainTimeout: duration(100),",
);
patchSource("envoy/src/bootstrap.ts", "connectionsMax = 16_384", `connectionsMax = ${connectionsMax}`);
const { connectionBufferBytes, streamsPerClientMax, streamWindowBytes } = await import("./limits.ts");
const { callHttp1, openEcho, openServer, openTestIngress } = await import("../../../test/src/kit/ingress.ts");

const plain = "/agents/counter/a/add";
const neighbour = "/agents/counter/neighbour/add";
const mute = "/agents/counter/mute/add";
let echo: TestServer;
/** Takes requests and never answers. */
let silent: TestServer;
/** Answers as much as it gets rid of. */
let endless: TestServer;
let written = 0;
let ingress: TestIngress;

before(async () => {
  echo = await openEcho("echo");
  silent = await openServer("silent", (request) => request.pause());
  endless = await openServer("endless", (_, response) => {
    const chunk = Buffer.alloc(64 * 1024);
    const write = (): void => {
      let goesOn = true;
      while (goesOn && !response.writableEnded) {
        goesOn = (response as NodeJS.WritableStream).write(chunk);
        written += chunk.length;
      }
    };
    response.on("drain", write);
    write();
  });
  ingress = await openTestIngress([echo, silent, endless]);
});
after(async () => {
  await ingress[Symbol.asyncDispose]();
  for (const server of [echo, silent, endless]) await server.close();
});
beforeEach(() => owns(echo));

/** All sessions but those that are named. */
function owns(server: TestServer): void {
  const ownerOf = (path: string): TestServer => {
    if (path.includes(neighbour)) return echo;
    return path.includes(mute) ? silent : server;
  };
  ingress.picker.answer = (path) => ({ headers: { owner: ownerOf(path).address } });
}

async function neighbourGoesOn(): Promise<void> {
  assert.equal((await callHttp1(ingress.port, neighbour)).status, 200);
}

const open = async (): Promise<Socket> => {
  const socket = connect(ingress.port, "127.0.0.1");
  socket.on("error", () => socket.destroy());
  await once(socket, "connect");
  return socket;
};
/** All that comes for these bytes until the connection ends. */
async function answerTo(bytes: string): Promise<string> {
  const socket = await open();
  socket.write(bytes);
  return text(socket);
}
/** A request in which the client counts three headers. */
const requestWith = (lines: readonly string[]): string =>
  [
    `POST ${plain} HTTP/1.1`,
    "host: localhost",
    "content-length: 0",
    "connection: close",
    ...lines,
    "",
    "",
  ].join("\r\n");
const manyHeaders = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `x-h${i}: v`);
const refusedAsLarge = (said: string): void => {
  assert.match(said, /^HTTP\/1\.1 431 /);
  const { code, reason, message } = errorReasonOf(said.slice(said.indexOf("{")));
  assert.deepEqual([code, reason], ["resource_exhausted", "too_large"]);
  assert.match(message, /headersMax 256, or than headersBytesMax 65536 bytes/);
};

test("headers up to their number pass, one more is refused with the number", async () => {
  assert.match(await answerTo(requestWith(manyHeaders(headersMax - 3))), /^HTTP\/1\.1 200 /);
  refusedAsLarge(await answerTo(requestWith(manyHeaders(headersMax - 2))));
  await neighbourGoesOn();
});

test("headers up to their bytes pass, beyond them they are refused with the bytes", async () => {
  assert.match(await answerTo(requestWith([`x-big: ${"x".repeat(63 * 1024)}`])), /^HTTP\/1\.1 200 /);
  refusedAsLarge(await answerTo(requestWith([`x-big: ${"x".repeat(64 * 1024)}`])));
  await neighbourGoesOn();
});

async function session(): Promise<ClientHttp2Session> {
  // As a client that has not read the limit of streams yet, or does not heed it.
  const client = connectHttp2(`http://127.0.0.1:${ingress.port}`, { peerMaxConcurrentStreams: 10_000 });
  client.on("error", () => client.destroy());
  await once(client, "connect");
  return client;
}
const requestOn = (
  client: ClientHttp2Session,
  more: Readonly<Record<string, string>> = {},
): ClientHttp2Stream => client.request({ ":method": "POST", ":path": plain, ...more });

test("in HTTP/2 a stream with more headers is reset, and its connection goes on", async () => {
  const client = await session();
  const statusOf = async (count: number): Promise<unknown> => {
    const headers = Object.fromEntries(manyHeaders(count).map((line) => line.split(": ")));
    const stream = requestOn(client, headers);
    stream.end();
    const [got] = (await once(stream, "response")) as [Record<string, unknown>];
    stream.resume();
    return got[":status"];
  };
  // Some are the version's own, such as :path.
  assert.equal(await statusOf(headersMax - 10), 200);
  await assert.rejects(statusOf(headersMax), /NGHTTP2_INTERNAL_ERROR/);
  assert.equal(await statusOf(headersMax - 10), 200);
  client.destroy();
  await neighbourGoesOn();
});

test("streams up to their number are open on one connection, one more is refused, and the others stay", async () => {
  owns(silent);
  const client = await session();
  const streams = Array.from({ length: streamsPerClientMax + 1 }, () => requestOn(client));
  const ended: [number, number][] = [];
  for (const [i, stream] of streams.entries())
    stream.on("error", () => undefined).on("close", () => ended.push([i, stream.rstCode]));
  await waitUntil(() => ended.length > 0, "one stream is refused");
  const refusedStream = 7;
  assert.deepEqual(ended, [[streamsPerClientMax, refusedStream]]);
  assert.equal(client.remoteSettings.maxConcurrentStreams, streamsPerClientMax);
  await neighbourGoesOn();
  client.destroy();
});

/**
 * What is sent on fills Envoy's buffer, and then nothing is taken any more. `sent` counts, and may send more.
 * How much the system holds of two connections is of its own choosing (tcp_rmem, tcp_wmem), and grows.
 */
async function stopsAtBuffer(gauge: string, sent: () => number): Promise<void> {
  const held = (): Promise<number> => ingress.envoy.stat(gauge);
  await waitUntil(async () => {
    sent();
    return (await held()) > connectionBufferBytes / 2;
  }, "the buffer fills");
  let earlier = 0;
  await waitUntil(() => {
    const now = sent();
    const isStill = now === earlier;
    earlier = now;
    return isStill;
  }, "the sender is stopped");
  // A read begins while there is room, and takes at most as much again.
  const bytes = await held();
  assert.ok(bytes <= 2 * connectionBufferBytes, `${bytes} bytes wait in Envoy of ${earlier} that were sent`);
  await neighbourGoesOn();
}

test("an answer that its caller does not read stops its node at the buffers, and nobody else", async () => {
  owns(endless);
  const socket = await open();
  socket.pause();
  socket.write(requestWith([]));
  await stopsAtBuffer("http.ingress.downstream_cx_tx_bytes_buffered", () => written);
  socket.destroy();
});

const stillMs = 250;
/** The node writes no more. */
async function isStopped(): Promise<void> {
  for (let earlier = -1; written > earlier; await pause(stillMs)) earlier = written;
}

test("answers that a caller of HTTP/2 does not read stop their node at a window each", async () => {
  owns(endless);
  const client = connectHttp2(`http://127.0.0.1:${ingress.port}`, { settings: { initialWindowSize: 0 } });
  client.on("error", () => undefined);
  written = 0;
  const streams = Array.from({ length: 100 }, () => requestOn(client));
  for (const stream of streams) stream.on("error", () => undefined);
  await Promise.all(streams.map((stream) => once(stream, "response")));
  await waitUntil(() => written > streams.length * streamWindowBytes, "the windows fill");
  await isStopped();
  // what the node keeps, what Envoy takes of it, what Envoy has for its caller
  assert.ok(written < 6 * streams.length * streamWindowBytes, `${written} bytes were taken`);
  await neighbourGoesOn();
  client.destroy();
});

test("a body that its node does not read stops its caller at the buffers, and nobody else", async () => {
  owns(silent);
  const socket = await open();
  socket.write(`POST ${plain} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${2 ** 30}\r\n\r\n`);
  const chunk = Buffer.alloc(1024 * 1024);
  await stopsAtBuffer("cluster.agents.upstream_cx_tx_bytes_buffered", () => {
    if (socket.writableLength === 0) socket.write(chunk);
    return socket.bytesWritten;
  });
  socket.destroy();
});

test("connections up to their number are served, one more is closed at once, and the next after one has gone", async () => {
  await waitUntil(async () => (await listenerStat("cx_active")) === 0, "earlier connections are gone");
  const sockets = await Promise.all(Array.from({ length: connectionsMax }, open));
  const served = sockets.map((socket) => once(socket, "data"));
  for (const socket of sockets) socket.write(requestWith([]).replace("connection: close\r\n", ""));
  for (const [data] of (await Promise.all(served)) as [Buffer][])
    assert.match(String(data), /^HTTP\/1\.1 200 /);
  const over = await open();
  await once(over.resume(), "close");
  assert.equal(await listenerStat("global_cx_overflow"), 1);
  sockets[0]?.destroy();
  await waitUntil(async () => (await listenerStat("cx_active")) < connectionsMax, "one has gone");
  await neighbourGoesOn();
  for (const socket of sockets) socket.destroy();
  await waitUntil(
    async () => (await listenerStat("cx_active")) === 0,
    "all are gone: the next test needs some",
  );
});

const listenerStat = (name: string): Promise<number> =>
  ingress.envoy.stat(`listener.127.0.0.1_${ingress.port}.downstream_${name}`);

/** How long something took, in ms. */
async function took(ended: Promise<unknown>): Promise<number> {
  const started = performance.now();
  await ended;
  return performance.now() - started;
}

describe("what takes too long is ended", { concurrency: true }, () => {
  test("a connection that says nothing is closed, and one that says half a head is told so", async () => {
    const [saysNothing, saysHalf] = await Promise.all([
      open().then((socket) => took(once(socket.resume(), "close"))),
      answerTo(`POST ${plain} HTTP/1.1\r\nhost: localhost\r\n`),
    ]);
    assert.ok(saysNothing > 1_900, `closed after ${saysNothing} ms`);
    assert.match(saysHalf, /^HTTP\/1\.1 408 /);
    const { reason, message } = errorReasonOf(saysHalf.slice(saysHalf.indexOf("{")));
    assert.equal(reason, "bad_request");
    assert.match(message, /requestHeadersMs 2500/);
    await neighbourGoesOn();
  });

  test("a connection without requests is closed, and so is one of HTTP/2 that answers no ping", async () => {
    const earlier = await ingress.envoy.stat("http2.keepalive_timeout");
    const kept = await open();
    const keptMs = took(once(kept.resume(), "close"));
    kept.write(requestWith([]).replace("connection: close\r\n", ""));
    const deaf = await open();
    // The preface and empty settings, then nothing.
    deaf.write(
      Buffer.concat([
        Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
      ]),
    );
    const [idleMs] = await Promise.all([keptMs, once(deaf.resume(), "close")]);
    assert.ok(idleMs > 2_900, `closed after ${idleMs} ms`);
    assert.equal(await ingress.envoy.stat("http2.keepalive_timeout"), earlier + 1);
    await neighbourGoesOn();
  });

  test("a stream without a byte in either direction is ended with a reason", async () => {
    const { status, text: body } = await callHttp1(ingress.port, mute);
    const { code, reason, message } = errorReasonOf(body);
    assert.deepEqual([status, code, reason], [504, "deadline_exceeded", "turn_timeout"]);
    assert.match(message, /nothing was sent in either direction/);
    await neighbourGoesOn();
  });
});
