import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, beforeEach, test } from "node:test";
import { headersMax } from "@voda/proto/wire";
import { errorReasonOf, type SaidError } from "../../../test/src/kit/errors.ts";
import type { Http2Reply, TestIngress, TestServer } from "../../../test/src/kit/ingress.ts";
import { patchSource } from "../../../test/src/patch/patch.ts";

// A picker on a busy machine may be late, and its sessions would go to another node.
patchSource("controlplane/src/publish/limits.ts", "pickTimeoutMs = 1_000", "pickTimeoutMs = 3_000");
const { callHttp1, callHttp2, openEcho, openServer, openTestIngress } = await import(
  "../../../test/src/kit/ingress.ts"
);

let echo: TestServer;
/** Takes requests and never answers, or breaks the connection. */
let silent: TestServer;
let ingress: TestIngress;
let isBreaking = false;

before(async () => {
  echo = await openEcho("n1");
  silent = await openServer("silent", (request) => {
    if (isBreaking) request.socket.destroy();
  });
  ingress = await openTestIngress([echo, silent]);
});
after(async () => {
  await ingress[Symbol.asyncDispose]();
  await echo.close();
  await silent.close();
});
beforeEach(() => {
  isBreaking = false;
  ingress.picker.answer = () => ({ headers: { owner: silent.address } });
});

/** No deadline of Envoy ends a call so soon, but the caller's own. */
const soonMs = 5_000;
const plain = "/agents/counter/a/add";
const grpc = (more: Readonly<Record<string, string>> = {}): Promise<Http2Reply> =>
  callHttp2(ingress.port, "/shop.v1.Cart/Add", {
    "content-type": "application/grpc",
    te: "trailers",
    ...more,
  });
const reasonOf = ({ headers }: Http2Reply): string =>
  /[a-z_]+(?=.?.?voda\.dev)/.exec(
    Buffer.from(String(headers["grpc-status-details-bin"]), "base64").toString("latin1"),
  )?.[0] ?? "";

test("a call whose node is stopped is answered at its deadline, in gRPC, Connect and JSON", async () => {
  const started = performance.now();
  const [json, connectReply, inGrpc] = await Promise.all([
    callHttp1(ingress.port, plain, { "connect-timeout-ms": "500", "content-type": "application/json" }),
    callHttp2(ingress.port, "/shop.v1.Cart/Add", {
      "connect-timeout-ms": "500",
      "connect-protocol-version": "1",
      "content-type": "application/proto",
    }),
    grpc({ "grpc-timeout": "500m" }),
  ]);
  const tookMs = performance.now() - started;
  assert.ok(tookMs > 490 && tookMs < soonMs, `took ${Math.round(tookMs)} ms`);
  for (const { status, text: body } of [json, connectReply]) {
    const { code, reason } = errorReasonOf(body);
    assert.deepEqual([status, code, reason], [504, "deadline_exceeded", "turn_timeout"]);
  }
  assert.deepEqual(
    [inGrpc.status, inGrpc.headers["grpc-status"], reasonOf(inGrpc)],
    [200, "4", "turn_timeout"],
  );
});

test("a node that answers at the deadline is heard: it knows whether the call began", async () => {
  const lateMs = 100; // a node under load
  const answer = (response: ServerResponse | Http2ServerResponse): void => {
    response.statusCode = 504;
    response.end("it did not begin");
  };
  await using late = await openServer("late", (request, response) => {
    const deadlineMs = Number(request.headers["connect-timeout-ms"]);
    setTimeout(() => answer(response), deadlineMs + lateMs);
  });
  await ingress.setNodes([echo, silent, late]);
  ingress.picker.answer = () => ({ headers: { owner: late.address } });
  const { status, text: body } = await callHttp1(ingress.port, plain, { "connect-timeout-ms": "120" });
  assert.deepEqual([status, body], [504, "it did not begin"]);
});

test("a deadline is kept to also when the picker is stopped", async () => {
  ingress.picker.answer = () => "hang";
  const started = performance.now();
  const reply = await grpc({ "grpc-timeout": "300m" });
  assert.equal(reply.headers["grpc-status"], "4");
  assert.ok(performance.now() - started < soonMs);
});

test("a node that breaks off says that the call may have taken effect, and is not tried again", async () => {
  isBreaking = true;
  const json = await callHttp1(ingress.port, plain);
  const said = errorReasonOf(json.text);
  assert.deepEqual([json.status, said.code, said.reason], [503, "unavailable", "closed"]);
  assert.match(said.message, /may have taken effect/);
  const inGrpc = await grpc();
  assert.deepEqual([inGrpc.headers["grpc-status"], reasonOf(inGrpc)], ["14", "closed"]);
});

test("headers over a limit are refused with both numbers, in JSON", async () => {
  const many = Object.fromEntries(Array.from({ length: headersMax }, (_, i) => [`x-h${i}`, "v"]));
  const big = { "x-big": "x".repeat(66 * 1024) };
  for (const headers of [many, big]) {
    const { status, text: body } = await callHttp1(ingress.port, plain, headers);
    const said = errorReasonOf(body);
    assert.deepEqual([status, said.code, said.reason], [431, "resource_exhausted", "too_large"]);
    assert.match(said.message, new RegExp(`headersMax ${headersMax}, or than headersBytesMax 65536`));
  }
  ingress.picker.answer = () => ({ headers: { owner: echo.address } });
  const few = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`x-h${i}`, "v"]));
  assert.equal((await callHttp1(ingress.port, plain, few)).status, 200);
});

const say = async (bytes: string): Promise<{ socket: Socket; said: string }> => {
  const socket = connect(ingress.port, "127.0.0.1");
  socket.write(bytes);
  return { socket, said: await text(socket) };
};

test("HTTP/1.0 is served", async () => {
  ingress.picker.answer = () => ({ headers: { owner: echo.address } });
  const { said } = await say("POST /agents/counter/a/add HTTP/1.0\r\ncontent-length: 0\r\n\r\n");
  assert.match(said, /^HTTP\/1\.[01] 200 OK/);
  assert.match(said, /"server":"n1"/);
});

test("what is no HTTP is told so in JSON", async () => {
  const { said } = await say("POST /agents/a/b/c HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n");
  assert.match(said, /^HTTP\/1\.1 400 /);
  assert.match(said, /"code":"invalid_argument"/);
});

/** What an answer says: its head, and its body as the contract has it. */
function toldIn(said: string): SaidError & { readonly status: number } {
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(said)?.[1]);
  return { status, ...errorReasonOf(said.slice(said.indexOf("\r\n\r\n") + 4)) };
}

test("whatever Envoy refuses by itself has code, reason and next step in its body", async () => {
  ingress.picker.answer = () => ({ headers: { owner: echo.address } });
  const host = "host: localhost\r\n";
  const end = "connection: close\r\n\r\n";
  const requests: readonly (readonly [string, string])[] = [
    ["no host", `POST ${plain} HTTP/1.1\r\n${end}`],
    ["two lengths", `POST ${plain} HTTP/1.1\r\n${host}content-length: 1\r\ncontent-length: 2\r\n${end}`],
    [
      "length and chunks",
      `POST ${plain} HTTP/1.1\r\n${host}content-length: 1\r\ntransfer-encoding: chunked\r\n${end}`,
    ],
    ["unknown coding", `POST ${plain} HTTP/1.1\r\n${host}transfer-encoding: gzip\r\n${end}`],
    ["an upgrade", `GET ${plain} HTTP/1.1\r\n${host}upgrade: websocket\r\nconnection: upgrade\r\n\r\n`],
    ["a tunnel", `CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n`],
    ["an unknown method", `WHATEVER ${plain} HTTP/1.1\r\n${host}${end}`],
    ["a bad name", `POST ${plain} HTTP/1.1\r\n${host}b@d name: x\r\n${end}`],
    ["a zero", `POST ${plain} HTTP/1.1\r\n${host}x: a\u0000b\r\n${end}`],
    ["no path", `POST agents HTTP/1.1\r\n${host}${end}`],
    ["a star", `OPTIONS * HTTP/1.1\r\n${host}${end}`],
    ["a bad chunk", `POST ${plain} HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\nzz\r\n`],
  ];
  const bare: string[] = [];
  // At once: after each Envoy waits for a second until it closes.
  const answers = await Promise.all(requests.map(async ([what, bytes]) => ({ what, ...(await say(bytes)) })));
  for (const { what, socket, said } of answers) {
    socket.destroy();
    try {
      const { status, code, reason, message } = toldIn(said);
      assert.ok(status >= 400 && code !== "" && reason !== "" && message !== "");
    } catch {
      bare.push(`${what}: ${JSON.stringify(said.slice(0, 300))}`);
    }
  }
  assert.deepEqual(bare, []);
});

test("when no node is left that takes connections, the callers are told that nothing has run", async () => {
  const gone = await openEcho("gone");
  await using alone = await openTestIngress([gone]);
  await gone.close();
  const json = await callHttp1(alone.port, plain);
  const said = errorReasonOf(json.text);
  assert.deepEqual(
    [json.status, said.code, said.reason, json.headers["retry-after"]],
    [503, "unavailable", "closed", "1"],
  );
  assert.match(said.message, /nothing has run/);
});

test("before the first node gRPC callers get a status and a message, not JSON", async () => {
  await using empty = await openTestIngress();
  const reply = await callHttp2(empty.port, "/shop.v1.Cart/Add", {
    "content-type": "application/grpc",
    te: "trailers",
  });
  assert.deepEqual([reply.headers["grpc-status"], reasonOf(reply)], ["14", "closed"]);
  assert.match(String(reply.headers["grpc-message"]), /^no node is ready yet/);
  const json = await callHttp1(empty.port, plain);
  assert.deepEqual([json.status, errorReasonOf(json.text).reason], [503, "closed"]);
});

test("a refusal of a node passes unchanged", async () => {
  await using refusing = await openServer("refusing", (_, response) => {
    response.statusCode = 503;
    response.end("mine");
  });
  await ingress.setNodes([echo, silent, refusing]);
  ingress.picker.answer = () => ({ headers: { owner: refusing.address } });
  const { status, text: body } = await callHttp1(ingress.port, plain);
  assert.deepEqual([status, body], [503, "mine"]);
});
