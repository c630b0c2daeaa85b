// Bytes that no decent client sends, and what becomes of the connection and of the others on it.
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
  type OutgoingHttpHeaders,
} from "node:http2";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { GetSessionRequestSchema, GetSessionResponseSchema } from "@voda/proto/api";
import { bodyBytesMax } from "@voda/proto/wire";
import { systemClock } from "@voda/stdx";
import { waitUntil } from "@voda/test/kit";
import { pino } from "pino";
import { type Bed, openBed, proof, routes, service, within } from "../../test/ingress-bed.ts";
import { createNumbers } from "../call/index.ts";
import { frameMessage } from "./dialect/message.ts";
import { createEdgeProof } from "./edge-proof.ts";
import { openIngress } from "./ingress.ts";
import { discardBytesMax, discardMsMax, headersBytesCut } from "./limits.ts";

const message = toBinary(
  GetSessionRequestSchema,
  create(GetSessionRequestSchema, { session: { agent: "probe" } }),
);
const answer: Uint8Array = new Uint8Array(0);
/** Before any deadline of an idle connection. */
const soonMs = 5_000;

interface Reply {
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: OutgoingHttpHeaders;
}

function openSession(t: TestContext, bed: Bed, options = {}): ClientHttp2Session {
  const session = connectHttp2(bed.url, options);
  t.after(() => session.destroy());
  return session;
}

function grpcStream(
  session: ClientHttp2Session,
  rpc: string,
  more: OutgoingHttpHeaders = {},
): ClientHttp2Stream {
  const path = `/${service}/${rpc}`;
  return session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    "x-voda-session": "k",
    ...more,
  });
}

function replyOf(stream: ClientHttp2Stream): Promise<Reply> {
  const chunks: Buffer[] = [];
  let headers: OutgoingHttpHeaders = {};
  let trailers: OutgoingHttpHeaders = {};
  stream.on("response", (got) => (headers = got));
  stream.on("trailers", (got) => (trailers = got));
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  const done = new Promise<Reply>((resolve, reject) => {
    stream.on("error", reject);
    stream.on("end", () => resolve({ headers, body: Buffer.concat(chunks), trailers }));
  });
  return within("answer", done);
}

// The first test: later ones leave timers of fetch.
test("closing leaves no socket, server or timer, whatever the clients were doing", async (t) => {
  const before = process.getActiveResourcesInfo().sort();
  const bed = await openBed(t);
  const session = openSession(t, bed);
  const running = grpcStream(session, "ListSessions");
  const cut = once(running.resume(), "close");
  running.end(frameMessage(answer));
  await bed.nextHanging();
  const silent = await rawConnection(t, bed);
  const half = await rawConnection(t, bed);
  half.write(
    "POST /agents/probe/k/echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5000000\r\ncontent-type: application/json\r\n\r\n",
  );
  assert.match(String(await within("refusal", once(half, "data"))), /HTTP\/1.1 413/);
  const ends = [session, silent.resume(), half].map((one) => (one.closed ? undefined : once(one, "close")));
  await bed.ingress[Symbol.asyncDispose]();
  await Promise.all([cut, ...ends]);
  session.destroy();
  await new Promise((next) => setImmediate(next));
  assert.deepEqual(process.getActiveResourcesInfo().sort(), before);
});

test("malformed gRPC messages are refused as the call's status, and the connection lives", async (t) => {
  const bed = await openBed(t);
  const session = openSession(t, bed, { maxSendHeaderBlockLength: 1 << 20 });
  const huge = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
  const cases: readonly (readonly [Buffer, OutgoingHttpHeaders, string, RegExp])[] = [
    [Buffer.alloc(0), {}, "12", /a unary call has one message, this one has none/],
    [Buffer.alloc(4), {}, "3", /malformed gRPC message: 4 bytes/],
    [Buffer.from([0, 0, 0, 0, 9, 1]), {}, "3", /its prefix says 9 bytes, 1 follow/],
    [
      Buffer.concat([frameMessage(message), frameMessage(message)]),
      {},
      "12",
      /a unary call has one message: its prefix says \d+ bytes, \d+ follow behind it/,
    ],
    [frameMessage(message, 1), {}, "13", /its flag says compressed, and no grpc-encoding was named/],
    [frameMessage(message, 1), { "grpc-encoding": "gzip" }, "12", /encoding gzip; send identity/],
    [frameMessage(message, 2), {}, "3", /malformed gRPC message: flags 2/],
    [huge, {}, "8", /body of 4294967295 bytes exceeds bodyBytesMax 4194304/],
    [frameMessage(message), { "grpc-encoding": "gzip" }, "12", /encoding gzip; send identity/],
    [frameMessage(message), { "grpc-timeout": "0n" }, "4", /time limit is 0 ms, so the call did not begin/],
    [frameMessage(message), { "grpc-timeout": "1x" }, "3", /grpc-timeout 1x is not/],
    [
      frameMessage(message),
      { "x-large": Array.from({ length: 9 }, () => "x".repeat(8000)) },
      "8",
      /headers of \d+ bytes exceed headersBytesMax 65536/,
    ],
  ];
  for (const [body, headers, status, wanted] of cases) {
    const stream = grpcStream(session, "GetSession", headers);
    const reply = replyOf(stream);
    stream.end(body);
    const got = (await reply).headers;
    assert.equal(got["grpc-status"], status, String(got["grpc-message"]));
    assert.match(decodeURIComponent(String(got["grpc-message"])), wanted);
    assert.equal(got[":status"], 200);
  }
  assert.equal(bed.seen.length, 0);
  const stream = grpcStream(session, "GetSession", { "grpc-timeout": "5S" });
  stream.end(frameMessage(message));
  const { body, trailers } = await replyOf(stream);
  assert.equal(fromBinary(GetSessionResponseSchema, body.subarray(5)).session?.key, "k");
  assert.deepEqual(trailers["grpc-status"], "0");
});

test("a gRPC caller who sends on after it was refused is stopped, and its connection serves others", async (t) => {
  const bed = await openBed(t);
  const session = openSession(t, bed);
  const stream = grpcStream(session, "Nothing");
  const closed = once(stream, "close");
  const reply = replyOf(stream);
  const chunk = Buffer.alloc(65536);
  const pump = (): void => {
    while (!stream.destroyed && stream.write(chunk));
  };
  stream.on("drain", pump);
  pump();
  assert.equal((await reply).headers["grpc-status"], "12");
  await within("reset", closed);
  assert.equal(stream.rstCode, constants.NGHTTP2_NO_ERROR);
  const next = grpcStream(session, "GetSession");
  next.end(frameMessage(message));
  assert.equal((await replyOf(next)).trailers["grpc-status"], "0");
});

test("gRPC-Web text goes in and comes back in base64, with trailers at its end; other bytes are refused", async (t) => {
  const bed = await openBed(t);
  const post = async (body: string): Promise<Buffer> => {
    const headers = { "content-type": "application/grpc-web-text", "x-voda-session": "k" };
    const response = await fetch(`${bed.url}/${service}/GetSession`, { method: "POST", body, headers });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "application/grpc-web-text");
    return Buffer.from(await response.text(), "base64");
  };
  const got = await post(frameMessage(message).toString("base64"));
  const length = got.readUInt32BE(1);
  assert.equal(fromBinary(GetSessionResponseSchema, got.subarray(5, 5 + length)).session?.key, "k");
  assert.equal(got[5 + length], 0x80);
  assert.equal(got.subarray(10 + length).toString(), "grpc-status: 0\r\n");
  assert.match((await post("!!!!")).toString(), /grpc-status: 3\r\ngrpc-message: malformed gRPC-Web text/);
  assert.match(
    (await post(Buffer.alloc(bodyBytesMax + 6).toString("base64"))).toString(),
    /grpc-status: [38]\r\n/,
  );
});

test("2,000 rapid resets on Envoy's connection leave it and an innocent call on it alone, and cancel what ran", async (t) => {
  const bed = await openBed(t);
  const session = openSession(t, bed);
  let hasGoneAway = false;
  session.on("goaway", () => (hasGoneAway = true));
  const innocent = grpcStream(session, "ListSessions", proof);
  innocent.end(frameMessage(answer));
  const reply = replyOf(innocent);
  const waiting = await bed.nextHanging();
  for (let round = 0; round < 20; round += 1) {
    const streams = Array.from({ length: 100 }, (_, i) => {
      const stream = grpcStream(session, i % 2 === 0 ? "ListSessions" : "GetSession");
      stream.on("error", (error) =>
        assert.equal((error as NodeJS.ErrnoException).code, "ERR_HTTP2_STREAM_ERROR"),
      );
      stream.end(frameMessage(i % 2 === 0 ? answer : message));
      return stream;
    });
    const closed = streams.map((stream) => (stream.closed ? Promise.resolve() : once(stream, "close")));
    for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
    await Promise.all(closed);
  }
  const late = grpcStream(session, "GetSession");
  late.end(frameMessage(message));
  assert.equal((await replyOf(late)).trailers["grpc-status"], "0");
  assert.equal(hasGoneAway, false);
  const left = bed.seen.filter(({ method }) => method === "hang").length - 1;
  for (let i = 0; i < left; i += 1) await within("it is cancelled", (await bed.nextHanging()).cancelled);
  waiting.reply({ ok: true, content: "proto", body: answer }, {});
  assert.equal((await reply).trailers["grpc-status"], "0");
});

/** HPACK without Huffman and without the table: what a flood needs and no client library gives. */
const literal = (name: string, value: string): Buffer =>
  Buffer.concat([
    Buffer.from([0x40, name.length]),
    Buffer.from(name),
    hpackLength(value.length),
    Buffer.from(value),
  ]);
const hpackLength = (length: number): Buffer => {
  if (length < 127) return Buffer.from([length]);
  const rest = [];
  let left = length - 127;
  for (; left >= 128; left = Math.floor(left / 128)) rest.push((left % 128) + 128);
  return Buffer.from([127, ...rest, left]);
};
const h2Frame = (type: number, flags: number, id: number, payload: Uint8Array): Buffer => {
  const frame = Buffer.alloc(9 + payload.length);
  frame.writeUIntBE(payload.length, 0, 3);
  frame.set([type, flags], 3);
  frame.writeUInt32BE(id, 5);
  frame.set(payload, 9);
  return frame;
};
const hello = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  h2Frame(4, 0, 0, new Uint8Array(0)),
  h2Frame(4, 1, 0, new Uint8Array(0)),
]);
/** `:method POST`, `:scheme http`, path, authority. */
const plainHead = Buffer.concat([
  Buffer.from([0x83, 0x86]),
  literal(":path", "/agents/probe/k/echo"),
  literal(":authority", "localhost"),
]);

/** Writes until the node closes. */
async function flood(t: TestContext, bed: Bed, make: (round: number) => Buffer): Promise<void> {
  const socket = await rawConnection(t, bed);
  const closed = new Promise<void>((resolve) => socket.resume().on("close", () => resolve()));
  socket.on("error", (error: NodeJS.ErrnoException) => assert.match(error.code ?? "", /EPIPE|ECONNRESET/));
  socket.write(hello);
  const flooding = (async () => {
    for (let round = 0; !socket.destroyed; round += 1) {
      if (socket.write(make(round))) continue;
      await Promise.race([new Promise<void>((resolve) => socket.once("drain", resolve)), closed]);
    }
  })();
  await within("the node ends the connection", flooding);
}

test("a connection that resets its calls faster than clients do is ended, and others are served meanwhile", async (t) => {
  const bed = await openBed(t);
  const pairs = (round: number): Buffer =>
    Buffer.concat(
      Array.from({ length: 100 }, (_, i) => {
        const id = 2 * (round * 100 + i) + 1;
        return Buffer.concat([h2Frame(1, 4, id, plainHead), h2Frame(3, 0, id, Buffer.from([0, 0, 0, 8]))]);
      }),
    );
  const flooding = flood(t, bed, pairs);
  assert.equal(await (await fetch(`${bed.url}/healthz`)).text(), "ok\n");
  await flooding;
  assert.ok(bed.heads() < 10_000, `${bed.heads()} requests were begun`);
  assert.deepEqual(bed.seen, [], "nothing runs whose body did not come whole");
});

test("heads that unfold from a few bytes end their connection, and others are served", async (t) => {
  const bed = await openBed(t);
  // The first head puts a large field into the table; each later one names it again and again with one byte.
  const first = h2Frame(1, 5, 1, Buffer.concat([plainHead, literal("x", "y".repeat(3700))]));
  const bomb = Buffer.concat([plainHead.subarray(0, 2), Buffer.from([0xc0, 0xbf]), Buffer.alloc(14, 0xbe)]);
  const heads = (round: number): Buffer =>
    round === 0
      ? first
      : Buffer.concat(Array.from({ length: 50 }, (_, i) => h2Frame(1, 5, 2 * (round * 50 + i) + 1, bomb)));
  await flood(t, bed, heads);
  assert.ok(bed.heads() < 2_000, `${bed.heads()} heads were taken`);
  assert.equal(await (await fetch(`${bed.url}/healthz`)).text(), "ok\n");
});

async function rawConnection(t: TestContext, bed: Bed): Promise<Socket> {
  const socket = connect(bed.ingress.port, "127.0.0.1");
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

async function everything(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "end");
  return Buffer.concat(chunks).toString();
}

test("malformed HTTP/1.1 is answered with JSON and the connection closed; the next one is served", async (t) => {
  const bed = await openBed(t);
  const cases: readonly (readonly [string, RegExp])[] = [
    [
      "NONSENSE\r\n\r\n",
      /^HTTP\/1.1 400 .*"code":"invalid_argument","message":"malformed HTTP\/1.1 request/s,
    ],
    ["PRI * HTTP/1.1\r\nhost: localhost\r\n\r\n", /^HTTP\/1.1 400 /],
    [
      "POST /agents/probe/k/echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      /^HTTP\/1.1 400 /,
    ],
    [
      "POST /agents/probe/k/echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc",
      /^HTTP\/1.1 400 /,
    ],
    ["GET /healthz HTTP/1.1\r\nhost: localhost\r\nx : y\r\n\r\n", /^HTTP\/1.1 400 /],
    ["GET /healthz HTTP/1.1\r\n\r\n", /^HTTP\/1.1 400 /],
    [
      `GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ${"y".repeat(headersBytesCut)}\r\n\r\n`,
      /^HTTP\/1.1 431 .*resource_exhausted.*headersBytesMax 65536/s,
    ],
  ];
  for (const [bytes, wanted] of cases) {
    const socket = await rawConnection(t, bed);
    const all = everything(socket);
    socket.write(bytes);
    assert.match(await within(bytes.slice(0, 30), all), wanted);
  }
  assert.equal(await (await fetch(`${bed.url}/healthz`)).text(), "ok\n");
});

test("a refused HTTP/1.1 request may send on within a bound and its connection serves the next; beyond the bound it is cut", async (t) => {
  const bed = await openBed(t);
  const start =
    "POST /agents/probe/k/echo HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n";
  const chunk = Buffer.concat([Buffer.from("100000\r\n"), Buffer.alloc(1024 * 1024), Buffer.from("\r\n")]);
  const refused = async (): Promise<Socket> => {
    const socket = await rawConnection(t, bed);
    socket.on("error", () => undefined);
    socket.write(start);
    assert.match(String(await within("refusal", once(socket, "data"))), /HTTP\/1.1 415/);
    return socket;
  };
  const few = await refused();
  few.write(chunk);
  few.write("0\r\n\r\nGET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
  assert.match(String(await within("the next answer", once(few, "data"))), /HTTP\/1.1 200/);

  const many = await refused();
  // after ECONNRESET, as a rule
  const closed = new Promise<unknown>((resolve) => many.resume().on("close", resolve));
  for (let sent = 0; sent < 2 * discardBytesMax; sent += chunk.length) many.write(chunk);
  await within("cut", closed, discardMsMax / 2);
});

const bodiless: readonly [string, string, RegExp][] = [
  ["health", "GET /healthz HTTP/1.1\r\n", / 200 /],
  ["health with HEAD", "HEAD /healthz HTTP/1.1\r\n", / 200 /],
  [
    "a browser's question",
    "OPTIONS /agents/probe/k/echo HTTP/1.1\r\naccess-control-request-method: POST\r\n",
    / 200 /,
  ],
  ["a method that is none", "DELETE /agents/probe/k/echo HTTP/1.1\r\n", / 405 /],
  ["a path that is none", "POST /metrics HTTP/1.1\r\n", / 404 /],
  ["a host that is refused", "POST /agents/probe/k/echo HTTP/1.1\r\nhost: evil.example\r\n", / 403 /],
  ["a strange expectation", "POST /agents/probe/k/nope HTTP/1.1\r\nexpect: tea\r\n", / 404 /],
];

test("an answer that waits for no body takes one within a bound only, on HTTP/1.1", async (t) => {
  const bed = await openBed(t);
  const chunk = Buffer.concat([Buffer.from("100000\r\n"), Buffer.alloc(1024 * 1024), Buffer.from("\r\n")]);
  await Promise.all(
    bodiless.map(async ([what, head, wanted]) => {
      const socket = await rawConnection(t, bed);
      socket.on("error", () => undefined);
      const host = head.includes("host:") ? "" : "host: localhost\r\n";
      socket.write(`${head}${host}transfer-encoding: chunked\r\n\r\n`);
      assert.match(String(await within(what, once(socket, "data"))), wanted, what);
      const closed = new Promise<unknown>((resolve) => socket.resume().on("close", resolve));
      for (let sent = 0; sent < 2 * discardBytesMax; sent += chunk.length) socket.write(chunk);
      await within(`${what} is cut`, closed, discardMsMax / 2);
    }),
  );
});

test("an answer that waits for no body takes one within a bound only, on HTTP/2", async (t) => {
  const bed = await openBed(t);
  const session = openSession(t, bed);
  const asked = { "access-control-request-method": "POST" };
  for (const [method, path, more] of [
    ["GET", "/healthz", {}],
    ["OPTIONS", "/agents/probe/k/echo", asked],
    ["POST", "/metrics", {}],
  ] as const) {
    const stream = session.request({ ":method": method, ":path": path, ...more }, { endStream: false });
    const closed = once(stream.resume(), "close");
    const chunk = Buffer.alloc(65536);
    const pump = (): void => {
      while (!stream.destroyed && stream.write(chunk));
    };
    stream.on("drain", pump);
    pump();
    await within(`${method} ${path} is stopped`, closed, soonMs);
    assert.equal(stream.rstCode, constants.NGHTTP2_NO_ERROR);
  }
  assert.equal((await replyOf(session.request({ ":path": "/healthz" }))).body.toString(), "ok\n");
});

test("HEAD, OPTIONS and DELETE are refused on both versions, without a body for HEAD", async (t) => {
  const bed = await openBed(t);
  const session = openSession(t, bed);
  for (const method of ["HEAD", "OPTIONS", "DELETE"]) {
    for (const path of ["/agents/probe/k/echo", `/${service}/GetSession`]) {
      const { headers, body } = await replyOf(session.request({ ":method": method, ":path": path }).end());
      const response = await fetch(bed.url + path, { method });
      assert.deepEqual([headers[":status"], response.status], [405, 405]);
      assert.deepEqual(
        [body.length > 0, (await response.text()).length > 0],
        [method !== "HEAD", method !== "HEAD"],
      );
    }
  }
  assert.equal((await replyOf(session.request({ ":path": "/healthz" }))).body.toString(), "ok\n");
});

test("who asks before sending a body hears at once what the head refuses, or is told to go on", async (t) => {
  const bed = await openBed(t);
  const asking = async (path: string, type: string): Promise<{ socket: Socket; first: string }> => {
    const socket = await rawConnection(t, bed);
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-type: ${type}\r\ncontent-length: 1\r\n\r\n`,
    );
    return { socket, first: String(await within("an answer", once(socket, "data"))) };
  };
  const refused = await asking("/agents/probe/k/nope", "application/json");
  assert.match(refused.first, /^HTTP\/1.1 404 .*method_not_found/s);
  assert.match(refused.first, /connection: close/i);
  assert.match((await asking("/agents/probe/k/echo", "text/plain")).first, /^HTTP\/1.1 415 /);
  const { socket, first } = await asking("/agents/probe/k/echo", "application/json");
  assert.equal(first, "HTTP/1.1 100 Continue\r\n\r\n");
  assert.equal(bed.seen.length, 0);
  socket.write("7");
  assert.match(String(await within("the answer", once(socket, "data"))), /^HTTP\/1.1 200 OK.*\r\n\r\n7$/s);
});

test("HTTP/1.0 is served, without a host, and its connection ends with the answer", async (t) => {
  const bed = await openBed(t);
  const socket = await rawConnection(t, bed);
  const all = everything(socket);
  socket.write(
    "POST /agents/probe/k/echo HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n7",
  );
  assert.match(await within("the answer", all), /^HTTP\/1.[01] 200 OK.*\r\n\r\n7$/s);
});

test("a running call's deadline is not the ingress's: who took the call answers, also after it", async (t) => {
  let ahead = 0;
  const monotonicMs = (): number => systemClock.monotonicMs() + ahead;
  const bed = await openBed(t, { clock: { ...systemClock, monotonicMs } });
  const answered = fetch(`${bed.url}/agents/probe/k/hang`, {
    method: "POST",
    headers: { "connect-timeout-ms": "30000" },
  });
  const running = await bed.nextHanging();
  const socket = await rawConnection(t, bed);
  const late = once(socket, "data");
  socket.write(
    "POST /agents/probe/k/echo HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
  );
  await waitUntil(() => bed.heads() === 2, "both are here");
  ahead = 60_000;
  await within("the ingress has looked at all that waits", late);
  running.reply({ ok: true, content: "json", body: Buffer.from("7") }, {});
  assert.equal(await (await answered).text(), "7");
});

test("pipelined requests are answered in order, and closing waits for all of them", async (t) => {
  const bed = await openBed(t);
  const socket = await rawConnection(t, bed);
  const all = everything(socket);
  const post = (method: string): string =>
    `POST /agents/probe/k/${method} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n`;
  socket.write(post("hang") + post("hang"));
  const [first, second] = [await bed.nextHanging(), await bed.nextHanging()];
  second.reply({ ok: true, content: "json", body: Buffer.from("2") }, {});
  const closed = bed.ingress[Symbol.asyncDispose]();
  first.reply({ ok: true, content: "json", body: Buffer.from("1") }, {});
  await within("close", closed, soonMs);
  assert.deepEqual((await all).match(/(?<=\r\n\r\n)\d/g), ["1", "2"]);
});

test("a preface that comes byte by byte still opens HTTP/2, and so does a request line for HTTP/1.1", async (t) => {
  const bed = await openBed(t);
  const drip = (bytes: string) => async (): Promise<Buffer> => {
    const socket = await rawConnection(t, bed);
    socket.setNoDelay(true);
    for (const byte of bytes) {
      socket.write(byte);
      await new Promise((next) => setImmediate(next));
    }
    const [first] = (await within("first bytes", once(socket, "data"))) as [Buffer];
    return first;
  };
  const settings = await drip("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0")();
  assert.equal(settings[3], 4, "the first frame is SETTINGS");
  assert.match(
    (
      await drip("POST /agents/probe/k/echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n")()
    ).toString(),
    /^HTTP\/1.1 200 OK/,
  );
});

test("closing finishes the calls in flight on both versions, accepts no more, and leaves nothing behind", async (t) => {
  const bed = await openBed(t);
  const session = openSession(t, bed);
  const stream = grpcStream(session, "ListSessions");
  stream.end(frameMessage(answer));
  const http2Reply = replyOf(stream);
  const first = await bed.nextHanging();
  const http1Reply = fetch(`${bed.url}/agents/probe/k/hang`, { method: "POST" });
  const second = await bed.nextHanging();
  const idle = await rawConnection(t, bed);
  const idleEnd = once(idle.resume(), "close");
  const closed = bed.ingress[Symbol.asyncDispose]();
  await idleEnd;
  await assert.rejects(fetch(`${bed.url}/healthz`));
  first.reply({ ok: true, content: "proto", body: answer }, {});
  second.reply({ ok: true, content: "json", body: Buffer.from("1") }, {});
  assert.equal((await http2Reply).trailers["grpc-status"], "0");
  assert.equal((await http1Reply).headers.get("connection"), "close");
  assert.equal(await (await http1Reply).text(), "1");
  await within("close", closed, soonMs);
  await assert.rejects(fetch(`${bed.url}/healthz`));
});

test("closing cuts what does not end in time, and its calls are cancelled", async (t) => {
  const bed = await openBed(t);
  const refused = assert.rejects(fetch(`${bed.url}/agents/probe/k/hang`, { method: "POST" }));
  const hanging = await bed.nextHanging();
  await within("close", bed.ingress[Symbol.asyncDispose](), soonMs);
  await refused;
  await hanging.cancelled;
});

test("a port in use is an error at the opener", async (t) => {
  const bed = await openBed(t);
  const options = {
    host: "127.0.0.1",
    port: bed.ingress.port,
    edge: createEdgeProof(),
    allowHosts: [],
    allowOrigins: [],
    routes,
    ready: Promise.resolve(() => () => undefined),
    numbers: createNumbers(),
    clock: systemClock,
    log: pino({ level: "silent" }),
  };
  await assert.rejects(openIngress(options), {
    code: "EADDRINUSE",
  });
});
