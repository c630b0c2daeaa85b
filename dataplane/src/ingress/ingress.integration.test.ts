// Real clients against a real port: every protocol, every refusal in the caller's protocol.
import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { GetSessionRequestSchema, SessionService } from "@voda/proto/api";
import { keyBytesMax } from "@voda/proto/session";
import { bodyBytesMax, reasons } from "@voda/proto/wire";
import { systemClock } from "@voda/stdx";
import { type Bed, openBed, proof, service } from "../../test/ingress-bed.ts";
import { type Call, type CallId, fail } from "../call/index.ts";

type Open = (baseUrl: string) => Transport;
const transports: readonly (readonly [string, Open])[] = [
  ["connect json, HTTP/1.1", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
  [
    "connect binary, HTTP/2",
    (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: true }),
  ],
  [
    "connect GET json",
    (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useHttpGet: true }),
  ],
  [
    "connect GET binary",
    (baseUrl) =>
      createConnectTransport({ baseUrl, httpVersion: "2", useHttpGet: true, useBinaryFormat: true }),
  ],
  ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
  ["gRPC json", (baseUrl) => createGrpcTransport({ baseUrl, useBinaryFormat: false })],
  ["gRPC-Web, HTTP/1.1", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
  ["gRPC-Web, HTTP/2", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2" })],
];
const key = "größe/1 %";
const headers = { "x-voda-session": encodeURIComponent(key) };
const request = { session: { agent: "probe" } };

/** The error of a call that must fail. */
async function failure(call: Promise<unknown>): Promise<ConnectError> {
  const error: unknown = await call.then(
    () => assert.fail("the call succeeded"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConnectError, String(error));
  return error;
}

for (const [name, open] of transports) {
  test(`${name}: a call reaches its session, with the headers of the owner and the request's id in the answer`, async (t) => {
    const bed = await openBed(t);
    bed.meta = { hint: "127.0.0.1:7001", token: "t.1" };
    const client = createClient(SessionService, open(bed.url));
    const got = Promise.withResolvers<Headers>();
    const more = {
      "x-request-id": "r-1",
      "x-voda-grant": "g",
      ...proof,
      traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`,
    };
    const sentMs = systemClock.monotonicMs();
    const response = await client.getSession(request, {
      headers: { ...headers, ...more },
      onHeader: got.resolve,
      timeoutMs: 5000,
    });
    assert.equal(response.session?.key, key);
    assert.equal(response.session?.agent, "probe");
    const answered = await got.promise;
    const picked = ["x-voda-host", "x-voda-token", "x-request-id", "set-cookie"].map((one) =>
      answered.get(one),
    );
    assert.deepEqual(picked, ["127.0.0.1:7001", "t.1", "r-1", null]);
    const [call] = bed.seen;
    assert.equal(call?.grant, "g");
    assert.equal(call?.traceparent, more.traceparent);
    const { id, deadlineMs } = call?.head ?? {};
    assert.equal(id?.type === "key" && id.keepMs, 60_000);
    const laterMs = (deadlineMs ?? 0) - sentMs - 5000;
    assert.ok(laterMs >= -1 && laterMs <= systemClock.monotonicMs() - sentMs, `${laterMs} ms later`);
  });

  test(`${name}: every code comes back with its message, reason, metadata and retry time`, async (t) => {
    const bed = await openBed(t);
    const client = createClient(SessionService, open(bed.url));
    for (const reason of Object.keys(reasons) as (keyof typeof reasons)[]) {
      if (reason === "user") continue;
      bed.answer = fail(reason, `für ${reason}: 100 %\n`, { retryAfterMs: 1500, metadata: { a: "b" } });
      const error = await failure(client.getSession(request, { headers }));
      assert.equal(Code[error.code].replaceAll(/(?<=[a-z])[A-Z]/g, "_$&").toLowerCase(), reasons[reason]);
      assert.equal(error.rawMessage, `für ${reason}: 100 %\n`);
      const details = error.details.map((detail) =>
        "type" in detail ? { type: detail.type, value: Buffer.from(detail.value) } : detail,
      );
      const info = Buffer.concat([
        Buffer.from([10, reason.length]),
        Buffer.from(reason),
        Buffer.from("\x12\x08voda.dev\x1a\x06\n\x01a\x12\x01b"),
      ]);
      const retry = Buffer.from([10, 8, 8, 1, 16, 0x80, 0xca, 0xb5, 0xee, 1]);
      assert.deepEqual(details, [
        { type: "google.rpc.ErrorInfo", value: info },
        { type: "google.rpc.RetryInfo", value: retry },
      ]);
    }
  });

  test(`${name}: what the head refuses is a clear error`, async (t) => {
    const bed = await openBed(t);
    const client = createClient(SessionService, open(bed.url));
    const cases: readonly (readonly [Record<string, string>, Code, RegExp])[] = [
      [{}, Code.InvalidArgument, /set x-voda-session/],
      [
        { "x-voda-session": "a".repeat(300) },
        Code.InvalidArgument,
        /key of 300 bytes exceeds keyBytesMax 256/,
      ],
      [{ "x-voda-session": "%zz" }, Code.InvalidArgument, /not percent-encoded UTF-8/],
      [{ "x-voda-session": "%ff" }, Code.InvalidArgument, /not percent-encoded UTF-8/],
      [{ "x-voda-session": "a%00b" }, Code.InvalidArgument, /control character/],
      [{ "x-voda-session": "a b" }, Code.InvalidArgument, /must be percent-encoded/],
      [
        { "x-voda-session": "a", "x-voda-namespace": "No" },
        Code.InvalidArgument,
        /namespace "No" is not a name/,
      ],
      [{ "x-voda-session": "a", "x-voda-agent": "other" }, Code.NotFound, /agent other does not implement/],
      [
        { "x-voda-session": "a", "idempotency-key": "k".repeat(257) },
        Code.InvalidArgument,
        /idempotency-key of 257 bytes exceeds .* 256/,
      ],
      [
        { "x-voda-session": "a", "x-large": "x".repeat(70_000) },
        Code.ResourceExhausted,
        /headers of \d+ bytes exceed headersBytesMax 65536/,
      ],
    ];
    for (const [sent, code, message] of cases) {
      const large = name.startsWith("gRPC,") || !("x-large" in sent) || name.includes("HTTP/1.1");
      // node's HTTP/2 clients refuse to send so many headers; raw ones do in frames.integration.test.ts
      if (!large) continue;
      const error = await failure(client.getSession(request, { headers: sent }));
      assert.match(error.rawMessage, message);
      assert.equal(error.code, code, error.rawMessage);
    }
    assert.equal((await failure(client.wakeSession({}, { headers }))).code, Code.Unimplemented);
    assert.equal(bed.seen.length, 0);
    assert.equal((await client.getSession(request, { headers })).session?.key, key);
  });

  test(`${name}: a body beyond bodyBytesMax is refused with both numbers, and the connection serves the next call`, async (t) => {
    if (name.includes("GET")) return; // a query of that size is a header
    const bed = await openBed(t);
    const client = createClient(SessionService, open(bed.url));
    const large = { session: { agent: "a".repeat(bodyBytesMax + 1) } };
    const error = await failure(client.getSession(large, { headers }));
    assert.equal(error.code, Code.ResourceExhausted);
    assert.match(error.rawMessage, /body of (at least )?419\d{4} bytes exceeds bodyBytesMax 4194304/);
    assert.equal((await client.getSession(request, { headers })).session?.key, key);
  });

  test(`${name}: a call that is not answered ends at the caller's deadline and is cancelled`, async (t) => {
    const bed = await openBed(t);
    const client = createClient(SessionService, open(bed.url));
    const call = failure(client.listSessions({}, { headers, timeoutMs: 500 }));
    const hanging = await bed.nextHanging();
    assert.equal((await call).code, Code.DeadlineExceeded);
    await hanging.cancelled;
    hanging.reply({ ok: true, content: "json", body: new Uint8Array(2) }, {});
  });

  test(`${name}: a caller who aborts cancels the call, and a late answer harms nobody`, async (t) => {
    const bed = await openBed(t);
    const client = createClient(SessionService, open(bed.url));
    const abort = new AbortController();
    const call = failure(client.listSessions({}, { headers, signal: abort.signal }));
    const hanging = await bed.nextHanging();
    abort.abort();
    await hanging.cancelled;
    hanging.reply({ ok: true, content: "json", body: new Uint8Array(2) }, {});
    assert.equal((await call).code, Code.Canceled);
    assert.equal((await client.getSession(request, { headers })).session?.key, key);
  });
}

function grpcCall(url: string, method: string, body: Uint8Array, metadata: Metadata): Promise<Buffer> {
  const client = new Client(new URL(url).host, credentials.createInsecure());
  const same = (bytes: Buffer): Buffer => bytes;
  return new Promise<Buffer>((resolve, reject) => {
    client.makeUnaryRequest(
      `/${service}/${method}`,
      same,
      same,
      Buffer.from(body),
      metadata,
      (error, value) => {
        client.close();
        if (error === null && value !== undefined) resolve(value);
        else reject(error ?? new Error("no message"));
      },
    );
  });
}

test("grpc-js: a unary call, and an error with its details", async (t) => {
  const bed = await openBed(t);
  const metadata = new Metadata();
  metadata.set("x-voda-session", "k");
  const body = toBinary(GetSessionRequestSchema, create(GetSessionRequestSchema, request));
  assert.ok((await grpcCall(bed.url, "GetSession", body, metadata)).includes("probe"));
  const error = (await grpcCall(bed.url, "Nothing", body, metadata).catch(
    (reason: unknown) => reason,
  )) as ServiceError;
  assert.equal(error.code, 12);
  assert.equal(error.details, `${service} has no method Nothing`);
  assert.ok(String(error.metadata.get("grpc-status-details-bin")[0]).includes("method_not_found"));
});

test("plain: the body goes in and comes back; no body is no input", async (t) => {
  const bed = await openBed(t);
  const post = (path: string, init: RequestInit = {}): ReturnType<typeof fetch> =>
    fetch(bed.url + path, { method: "POST", ...init });
  const json = { headers: { "content-type": "application/json; charset=utf-8" } };
  const response = await post("/agents/probe/a%2Fb%20%C3%BC/echo", { ...json, body: '{"x":1}' });
  assert.deepEqual(
    [response.status, response.headers.get("content-type"), await response.text()],
    [200, "application/json", '{"x":1}'],
  );
  const silent = await post("/namespaces/team/agents/probe/k/echo?ignored=1");
  assert.deepEqual([silent.status, silent.headers.get("content-type"), await silent.text()], [200, null, ""]);
  assert.deepEqual(
    bed.seen.map(({ name, body }) => [name.namespace, name.agent, name.key, body.length]),
    [
      ["default", "probe", "a/b ü", 7],
      ["team", "probe", "k", 0],
    ],
  );
  assert.equal(bed.seen[0]?.head.id, undefined);
});

test("plain: each refusal has its HTTP status, code and message", async (t) => {
  const bed = await openBed(t);
  const json = { "content-type": "application/json" };
  const cases: readonly (readonly [string, RequestInit, number, string, RegExp])[] = [
    [
      "/agents/probe/k/echo",
      { body: "a=1", headers: { "content-type": "application/x-www-form-urlencoded" } },
      415,
      "invalid_argument",
      /form-urlencoded is refused; send application\/json/,
    ],
    [
      "/agents/probe/k/echo",
      { headers: { "content-type": "multipart/form-data" } },
      415,
      "invalid_argument",
      /multipart\/form-data is refused/,
    ],
    [
      "/agents/probe/k/echo",
      { body: new Uint8Array(3) },
      415,
      "invalid_argument",
      /a body without content-type/,
    ],
    [
      "/agents/probe/k/echo",
      { body: "{}", headers: { ...json, "content-encoding": "gzip" } },
      501,
      "unimplemented",
      /compressed requests are not accepted: encoding gzip; send identity/,
    ],
    [
      "/agents/probe/k/echo",
      { method: "PUT", body: "{}", headers: json },
      405,
      "unimplemented",
      /HTTP method PUT/,
    ],
    ["/agents/other/k/echo", {}, 404, "not_found", /agent other is not known/],
    ["/agents/Other/k/echo", {}, 400, "invalid_argument", /agent "Other" is not a name/],
    ["/namespaces/nowhere/agents/probe/k/echo", {}, 404, "not_found", /namespace nowhere is not known/],
    ["/agents/probe/k/nope", {}, 404, "unimplemented", /probe has no method nope/],
    ["/agents/probe/k", {}, 404, "unimplemented", /no such path: \/agents\/probe\/k; calls go to POST/],
    ["/agents/probe/k/echo/more", {}, 404, "unimplemented", /no such path/],
    ["/what/ever/else", { headers: json }, 404, "unimplemented", /no such path: \/what\/ever\/else/],
    ["/agents/probe//echo", {}, 400, "invalid_argument", /the key is empty/],
    [
      `/agents/probe/${"k".repeat(keyBytesMax + 1)}/echo`,
      {},
      400,
      "invalid_argument",
      /key of 257 bytes exceeds keyBytesMax 256/,
    ],
    ["/agents/probe/%e4/echo", {}, 400, "invalid_argument", /not percent-encoded UTF-8/],
    ["/agents/probe/%0a/echo", {}, 400, "invalid_argument", /control character/],
    [
      "/agents/probe/k/echo",
      { headers: { "idempotency-key": "" } },
      400,
      "invalid_argument",
      /idempotency-key "" is not 1 to 256 printable ASCII characters/,
    ],
    [
      "/agents/probe/k/echo",
      { headers: { "connect-timeout-ms": "soon" } },
      400,
      "invalid_argument",
      /connect-timeout-ms soon is not/,
    ],
    [
      "/agents/probe/k/echo",
      { headers: { "connect-timeout-ms": "0" } },
      504,
      "deadline_exceeded",
      /time limit is 0 ms, so the call did not begin/,
    ],
    [
      `/${service}/GetSession`,
      { body: "{}", headers: { "content-type": "text/plain" } },
      415,
      "invalid_argument",
      /content-type text\/plain is refused; send application\/json/,
    ],
    [
      `/${service}/GetSession`,
      { body: "{}", headers: { ...json, "connect-protocol-version": "2" } },
      400,
      "invalid_argument",
      /connect-protocol-version 2/,
    ],
    [
      `/${service}/GetSession`,
      { body: "{}", headers: { "content-type": "application/grpc" } },
      200,
      "",
      /^$/,
    ],
    [
      `/${service}/SleepSession?connect=v1&encoding=json&message=%7B%7D`,
      { method: "GET", headers: { "x-voda-session": "k" } },
      405,
      "unimplemented",
      /sleep writes: HTTP method GET is for readonly/,
    ],
    [
      `/${service}/GetSession?connect=v1&encoding=json&compression=gzip`,
      { method: "GET" },
      501,
      "unimplemented",
      /encoding gzip; send identity/,
    ],
    [
      `/${service}/GetSession?connect=v1&encoding=json&base64=1&message=$`,
      { method: "GET", headers: { "x-voda-session": "k" } },
      400,
      "invalid_argument",
      /not URL-safe base64/,
    ],
    ["/", { method: "GET" }, 404, "unimplemented", /no such path: \//],
    ["/", {}, 404, "unimplemented", /no such path: \//],
    ["/v1/chat/completions", { body: "{}" }, 404, "unimplemented", /no such path: \/v1\/chat/],
    ["/agents/probe/k/nope", { body: "1" }, 404, "unimplemented", /probe has no method nope/],
    ["/shop.v1.Cart/Add", { body: "1" }, 404, "not_found", /no agent implements shop.v1.Cart/],
    [`/${service}/Nothing`, { body: "{}", headers: json }, 404, "unimplemented", /has no method Nothing/],
  ];
  for (const [path, init, status, code, message] of cases) {
    const response = await fetch(bed.url + path, { method: "POST", ...init });
    const text = await response.text();
    const error = (text === "" ? { code: "", message: "" } : JSON.parse(text)) as {
      code: string;
      message: string;
    };
    assert.equal(response.status, status, `${path}: ${text}`);
    assert.equal(error.code, code, path);
    assert.match(error.message, message);
  }
  assert.equal(bed.seen.length, 0);
});

test("plain: a header that contradicts the path is refused, and so is a longer path", async (t) => {
  const bed = await openBed(t);
  const post = async (path: string, more: Record<string, string>): Promise<string> => {
    const sent = { "content-type": "application/json", ...more };
    const response = await fetch(bed.url + path, { method: "POST", body: "1", headers: sent });
    return `${response.status} ${((await response.json()) as { message?: string }).message ?? "echo"}`;
  };
  const path = "/agents/probe/k/echo";
  assert.match(
    await post(path, { "x-voda-namespace": "other" }),
    /^400 the header x-voda-namespace says "other"/,
  );
  assert.match(await post(path, { "x-voda-agent": "cart" }), /^400 the header x-voda-agent says "cart"/);
  assert.match(await post(path, { "x-voda-session": "l" }), /^400 the header x-voda-session says "l"/);
  assert.match(await post(`${path}/extra`, {}), /^404 no such path/);
  assert.equal(bed.seen.length, 0);
  const agreeing = { "x-voda-namespace": "default", "x-voda-agent": "probe", "x-voda-session": "k" };
  assert.equal(await post(path, agreeing), "200 echo");
});

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function keyOf({ head: { id } }: Call): Extract<CallId, { type: "key" }> {
  assert.ok(id?.type === "key");
  return id;
}

async function sendWith(
  bed: Bed,
  more: Record<string, string>,
  { session = "k", body = "{}" } = {},
): Promise<Response> {
  const sent = { "content-type": "application/json", ...more };
  return await fetch(`${bed.url}/agents/probe/${session}/echo`, { method: "POST", body, headers: sent });
}

test("an idempotency key gives the same id and hash to the same call, and others to others", async (t) => {
  const bed = await openBed(t);
  await sendWith(bed, { "idempotency-key": "a", "x-request-id": "1", ...proof });
  await sendWith(bed, { "idempotency-key": "a", "x-request-id": "2" });
  await sendWith(bed, { "idempotency-key": "a" }, { body: "[]" });
  await sendWith(bed, { "idempotency-key": "b" });
  await sendWith(bed, { "idempotency-key": "a" }, { session: "k2" });
  const texts = bed.seen.map(keyOf).map(({ id, rawHash }) => [hex(id), hex(rawHash)]);
  const [first, again, otherBody, otherKey, otherSession] = texts;
  assert.deepEqual(first, again);
  assert.equal(first?.[0]?.length, 32);
  assert.equal(otherBody?.[0], first?.[0]);
  assert.notEqual(otherBody?.[1], first?.[1]);
  assert.equal(new Set([first, otherKey, otherSession].map((one) => one?.[0])).size, 3);
  assert.deepEqual(new Set(bed.seen.map(keyOf).map(({ keepMs }) => keepMs)), new Set([600_000]));
});

test("only Envoy's own x-request-id, proved, makes calls repetitions of each other; anybody's comes back", async (t) => {
  const bed = await openBed(t);
  const id = { "x-request-id": "a" };
  for (const more of [{}, { "x-voda-edge": "" }, { "x-voda-edge": "6".repeat(64) }, { "x-voda-edge": "5" }]) {
    const answer = await sendWith(bed, { ...id, ...more, "x-voda-grant": "g" });
    assert.equal(answer.headers.get("x-request-id"), "a");
  }
  assert.deepEqual(
    bed.seen.map(({ head, grant }) => [head.id, grant]),
    Array.from({ length: 4 }, () => [undefined, undefined]),
  );
  await sendWith(bed, { ...id, ...proof, "x-voda-grant": "g" });
  await sendWith(bed, { ...id, ...proof });
  const [first, second] = bed.seen.slice(4).map(keyOf);
  assert.equal(first?.id.length, 16);
  assert.deepEqual([second?.id, first.keepMs, bed.seen[4]?.grant], [first.id, 60_000, "g"]);
});

test("a numbered call is told by its number and a client, who is another in every session", async (t) => {
  const bed = await openBed(t);
  const [one, two] = ["1".repeat(32), "2".repeat(32)];
  for (const [text, session] of [
    [`${one}.7.3`, "k"],
    [`${one}.7.5`, "k"],
    [`${one}.8.5`, "k"],
    [`${two}.7.3`, "k"],
    [`${one}.7.3`, "k2"],
  ] as const)
    await sendWith(bed, { "x-voda-call": text }, { session });
  const ids = bed.seen.map(({ head: { id } }) => {
    assert.ok(id?.type === "numbered");
    return { client: hex(id.client), seq: id.seq, lowest: id.lowest };
  });
  assert.deepEqual(
    ids.map(({ seq, lowest }) => [seq, lowest]),
    [
      [7, 3],
      [7, 5],
      [8, 5],
      [7, 3],
      [7, 3],
    ],
  );
  const [client, , same, other, otherSession] = ids.map((id) => id.client);
  assert.equal(same, client);
  assert.equal(new Set([client, other, otherSession]).size, 3);
  for (const [text, problem] of [
    ["x.1.1", /is not \{client\}.\{seq\}.\{lowest\}/],
    [`${one}.1`, /is not \{client\}/],
    [`${one}.-1.0`, /is not \{client\}/],
    [`${one}.4.5`, /4 is not 5, its lowest, or one of the 1024 from it on/],
    [`${one}.1030.5`, /1030 is not 5/],
  ] as const) {
    const answer = await sendWith(bed, { "x-voda-call": text });
    assert.equal(answer.status, 400, text);
    assert.match(await answer.text(), problem);
  }
  const twice = await sendWith(bed, { "x-voda-call": `${one}.1.1`, "idempotency-key": "a" });
  assert.match(await twice.text(), /name one call twice/);
  assert.equal(bed.seen.length, 5);
});

test("a numbered call lasts a minute at most, also by default; a longer one takes a key", async (t) => {
  const bed = await openBed(t);
  const status = async (method: string, more: Record<string, string>): Promise<number> => {
    const response = await fetch(`${bed.url}/agents/probe/k/${method}`, { method: "POST", headers: more });
    const text = await response.text();
    if (response.status === 400) assert.match(text, /at most 60000 ms, .* send idempotency-key instead/);
    return response.status;
  };
  const numbered = { "x-voda-call": `${"1".repeat(32)}.1.1` };
  assert.equal(await status("echo", { ...numbered, "connect-timeout-ms": "60000" }), 200);
  assert.equal(await status("echo", { ...numbered, "connect-timeout-ms": "60001" }), 400);
  assert.equal(await status("long", numbered), 400);
  assert.equal(await status("long", { ...numbered, "connect-timeout-ms": "5000" }), 200);
  assert.equal(await status("long", { "idempotency-key": "a" }), 200);
  assert.equal(bed.seen.length, 3);
});

test("a call lasts as long as its caller says; who says nothing has a minute, or the agent's longest turn", async (t) => {
  const bed = await openBed(t);
  const lasts = async (method: string, ms: number, more: Record<string, string> = {}): Promise<void> => {
    const sentMs = systemClock.monotonicMs();
    await fetch(`${bed.url}/agents/probe/k/${method}`, { method: "POST", headers: more });
    const { deadlineMs = 0 } = bed.seen.at(-1)?.head ?? {};
    const laterMs = deadlineMs - ms - sentMs; // it counts from when the call arrives
    assert.ok(laterMs >= 0 && laterMs <= systemClock.monotonicMs() - sentMs, `${laterMs} ms later`);
  };
  await lasts("echo", 60_000);
  await lasts("long", 1_800_000);
  await lasts("echo", 300_000, { "connect-timeout-ms": "300000" });
  await lasts("long", 5_000, { "connect-timeout-ms": "5000" });
  await lasts("echo", 3_600_000, { "connect-timeout-ms": "9000000" });
});

test("plain: the owner's hint is a header; no cookie is set", async (t) => {
  const bed = await openBed(t);
  bed.meta = { hint: "10.0.0.1:4001" };
  const response = await fetch(`${bed.url}/agents/probe/k/echo`, { method: "POST" });
  assert.deepEqual(
    ["x-voda-host", "set-cookie"].map((name) => response.headers.get(name)),
    ["10.0.0.1:4001", null],
  );
});

test("an HTTP/1.1 connection outlives a body that is too large, announced or not", async (t) => {
  const bed = await openBed(t);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const post = (
    body: Buffer,
    more: http.OutgoingHttpHeaders,
  ): Promise<{ status: number | undefined; text: string; port: number | undefined }> =>
    new Promise((resolve, reject) => {
      const sent = { "content-type": "application/json", ...more };
      const out = http.request(
        `${bed.url}/agents/probe/k/echo`,
        { agent, method: "POST", headers: sent },
        (response) => {
          let text = "";
          const port = out.socket?.localPort;
          response.on("data", (chunk: Buffer) => (text += chunk.toString()));
          response.on("end", () => resolve({ status: response.statusCode, text, port }));
        },
      );
      out.on("error", reject);
      out.end(body);
    });
  const large = Buffer.alloc(bodyBytesMax + 9, 32);
  const announced = await post(large, { "content-length": large.length });
  assert.deepEqual(
    [announced.status, /body of 4194313 bytes exceeds bodyBytesMax 4194304/.test(announced.text)],
    [413, true],
  );
  const streamed = await post(large, { "transfer-encoding": "chunked" });
  assert.deepEqual(
    [streamed.status, /body of at least 41943\d\d bytes exceeds bodyBytesMax/.test(streamed.text)],
    [413, true],
  );
  const exact = await post(large.subarray(0, bodyBytesMax), {});
  assert.deepEqual([exact.status, exact.text.length], [200, bodyBytesMax]);
  assert.deepEqual(new Set([announced.port, streamed.port, exact.port]).size, 1);
});
