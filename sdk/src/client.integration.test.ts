// The client against a real HTTP server that speaks the wire format of the mesh.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { BinaryWriter, base64Encode, WireType } from "@bufbuild/protobuf/wire";
import type { Reason } from "@voda/proto/wire";
import { type ClientOptions, createClient, VodaError } from "./client.ts";
import { defineConfig } from "./config.ts";
import { agent, type Json } from "./index.ts";

const counter = agent("counter")
  .readonly({ get: () => 1 })
  .handlers({ add: (_ctx, by: number) => by, nothing: () => undefined, any: (_ctx, input: Json) => input });
const config = defineConfig({ agents: [counter, agent("other").handlers({ run: () => 1 })] });

interface SeenRequest {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}
type Respond = (request: SeenRequest, response: ServerResponse, count: number) => void;

/** A server with the answers of the test, a client on it, and what was asked. */
async function mesh(respond: Respond, options: Partial<ClientOptions> = {}) {
  const requests: SeenRequest[] = [];
  const server = createServer((message, response) => {
    const chunks: Buffer[] = [];
    message.on("data", (chunk: Buffer) => chunks.push(chunk));
    message.on("end", () => {
      const { method, url, headers } = message;
      const request = { method, url, headers, body: Buffer.concat(chunks).toString() };
      requests.push(request);
      respond(request, response, requests.length);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return {
    requests,
    url,
    client: createClient<typeof config>({ url, ...options }),
    [Symbol.asyncDispose]: close,
  };
}

const json =
  (value: Json): Respond =>
  (_, response) =>
    void response.setHeader("content-type", "application/json").end(JSON.stringify(value));

interface Trouble {
  readonly status: number;
  readonly code: string;
  readonly reason?: Reason;
  readonly retryAfterMs?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** An error as the ingress writes it. */
function refuse(response: ServerResponse, trouble: Trouble): void {
  const details: Json[] = [];
  if (trouble.reason !== undefined) {
    const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).string(trouble.reason);
    writer.tag(2, WireType.LengthDelimited).string("voda.dev");
    for (const [name, value] of Object.entries(trouble.metadata ?? {})) {
      const entry = new BinaryWriter()
        .tag(1, WireType.LengthDelimited)
        .string(name)
        .tag(2, WireType.LengthDelimited)
        .string(value);
      writer.tag(3, WireType.LengthDelimited).bytes(entry.finish());
    }
    details.push({ type: "google.rpc.ErrorInfo", value: base64Encode(writer.finish(), "std_raw") });
  }
  if (trouble.retryAfterMs !== undefined) {
    const seconds = Math.floor(trouble.retryAfterMs / 1000);
    const duration = new BinaryWriter().tag(1, WireType.Varint).int64(seconds);
    duration.tag(2, WireType.Varint).int32((trouble.retryAfterMs % 1000) * 1e6);
    const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(duration.finish());
    details.push({ type: "google.rpc.RetryInfo", value: base64Encode(writer.finish()) });
  }
  response.writeHead(trouble.status, { "content-type": "application/json" });
  response.end(JSON.stringify({ code: trouble.code, message: `it is ${trouble.code}`, details }));
}

async function rejection(promise: Promise<unknown>): Promise<VodaError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(VodaError.is(error), `not a VodaError: ${String(error)}`);
  return error;
}

test("a call posts its input as JSON to the session's path and returns the answer", async () => {
  await using server = await mesh(json({ count: 2 }), { headers: { "x-team": "a" } });
  assert.deepEqual(await server.client.counter("a/b ü%").add(2), { count: 2 });
  const [request] = server.requests;
  assert.equal(request?.method, "POST");
  assert.equal(request?.url, "/agents/counter/a%2Fb%20%C3%BC%25/add");
  assert.equal(request?.body, "2");
  assert.equal(request?.headers["content-type"], "application/json");
  assert.equal(request?.headers["x-team"], "a");
  assert.match(String(request?.headers["x-voda-call"]), /^[0-9a-f]{32}\.1\.1$/);
  assert.equal(request?.headers["idempotency-key"], undefined);
  assert.ok(
    Number(request?.headers["connect-timeout-ms"]) > 29_000 &&
      Number(request?.headers["connect-timeout-ms"]) <= 30_000,
  );
  assert.equal(request?.headers["x-voda-host"], undefined);
});

test("another namespace stands in the path", async () => {
  await using server = await mesh(json(1), { namespace: "team-a" });
  await server.client.counter("k").get();
  assert.equal(server.requests[0]?.url, "/namespaces/team-a/agents/counter/k/get");
});

test("no input sends no content, and no content is undefined", async () => {
  await using server = await mesh(
    (_, response, count) => void response.writeHead(count === 1 ? 200 : 204).end(),
  );
  assert.equal(await server.client.counter("k").nothing(), undefined);
  assert.equal(await server.client.counter("k").nothing(), undefined);
  assert.equal(server.requests[0]?.body, "");
  assert.equal(server.requests[0]?.headers["content-length"], "0");
});

test("null and false are answers, not the lack of one", async () => {
  await using server = await mesh((request, response) => void response.end(request.body));
  assert.equal(await server.client.counter("k").any(null), null);
  assert.equal(await server.client.counter("k").any(false), false);
  assert.equal(await server.client.counter("k").any(""), "");
});

test("an error carries code, message, reason, details and retry time", async () => {
  await using server = await mesh(
    (_, response) =>
      refuse(response, {
        status: 429,
        code: "resource_exhausted",
        reason: "quota",
        retryAfterMs: 1_500,
        metadata: { limit: "10", used: "11" },
      }),
    { retry: { attempts: 1 } },
  );
  const error = await rejection(server.client.counter("k").add(1));
  assert.deepEqual(
    [error.code, error.message, error.reason, error.retryable, error.retryAfterMs, error.details],
    ["resource_exhausted", "it is resource_exhausted", "quota", true, 1_500, { limit: "10", used: "11" }],
  );
});

test("an error that is not retryable is sent once", async () => {
  await using server = await mesh((_, response) =>
    refuse(response, { status: 409, code: "aborted", reason: "user" }),
  );
  const error = await rejection(server.client.counter("k").add(1));
  assert.deepEqual([error.code, error.reason, error.retryable], ["aborted", "user", false]);
  assert.equal(server.requests.length, 1);
});

test("a retryable error is sent again as the same call, with less time left", async () => {
  await using server = await mesh((request, response, count) =>
    count < 3
      ? refuse(response, { status: 503, code: "unavailable", reason: "draining" })
      : json(7)(request, response, count),
  );
  assert.equal(await server.client.counter("k").add(1), 7);
  const ids = server.requests.map((request) => request.headers["x-voda-call"]);
  const left = server.requests.map((request) => Number(request.headers["connect-timeout-ms"]));
  assert.equal(server.requests.length, 3);
  assert.equal(new Set(ids).size, 1);
  assert.ok(left.every((ms, at) => at === 0 || ms <= (left[at - 1] ?? 0)));
  await server.client.counter("k").add(1);
  assert.equal(server.requests[3]?.headers["x-voda-call"], ids[0]?.toString().replace(".1.1", ".2.2"));
});

test("a mesh that is away for longer than a few attempts is waited for within the timeout", async () => {
  const away = 4;
  await using server = await mesh((request, response, count) =>
    count <= away
      ? refuse(response, { status: 503, code: "unavailable", reason: "closed" })
      : json(count)(request, response, count),
  );
  assert.equal(await server.client.counter("k").$with({ timeout: "60s" }).add(1), away + 1);
});

test("without an answer the call ends with the last error, close to its timeout", async () => {
  await using server = await mesh((_, response) =>
    refuse(response, { status: 503, code: "unavailable", reason: "closed" }),
  );
  const startedMs = performance.now();
  // A timer of this process too: what holds up the one holds up the other.
  let isLate = false;
  const late = setTimeout(() => (isLate = true), 4 * 500);
  const error = await rejection(server.client.counter("k").$with({ timeout: "500ms" }).add(1));
  assert.ok(error.reason === "closed" || /before that: it is unavailable/.test(error.message), error.message);
  assert.ok(performance.now() - startedMs > 400);
  assert.equal(isLate, false);
  clearTimeout(late);
});

test("a call that ran out of its time in the mesh is not sent again", async () => {
  await using server = await mesh((_, response) =>
    refuse(response, { status: 504, code: "deadline_exceeded", reason: "turn_timeout" }),
  );
  const error = await rejection(server.client.counter("k").add(1));
  assert.deepEqual([error.code, error.reason, error.retryable], ["deadline_exceeded", "turn_timeout", false]);
  assert.equal(server.requests.length, 1);
});

test("calls under way are told apart, and a long one has a key that holds up no others", async () => {
  const released = Promise.withResolvers<void>();
  await using server = await mesh((request, response, count) => {
    if (count === 1) void released.promise.then(() => json(1)(request, response, count));
    else json(count)(request, response, count);
  });
  const session = server.client.counter("k");
  const first = session.add(1);
  while (server.requests.length === 0) await new Promise(setImmediate);
  await session.add(1);
  await session.$with({ timeout: "61s" }).add(1);
  await server.client.counter("other").add(1);
  released.resolve();
  await first;
  await session.add(1);
  const ends = server.requests.map((request) => String(request.headers["x-voda-call"]).slice(32));
  assert.deepEqual(ends, [".1.1", ".2.1", "", ".1.1", ".3.3"]);
  assert.match(String(server.requests[2]?.headers["idempotency-key"]), /^[0-9a-f]{32}$/);
});

test("a call that was given up is said not to come again", async () => {
  // by its number: one that is given up may never have left
  await using server = await mesh((request, response, count) => {
    const isFirst = String(request.headers["x-voda-call"]).endsWith(".1.1");
    if (!isFirst) json(1)(request, response, count);
  });
  const session = server.client.counter("k");
  await rejection(session.$with({ timeout: "50ms" }).add(1));
  await session.add(1);
  assert.match(String(server.requests.at(-1)?.headers["x-voda-call"]), /\.2\.2$/);
});

test("attempts end at their bound with the last error", async () => {
  await using server = await mesh(
    (_, response) => refuse(response, { status: 503, code: "unavailable", reason: "draining" }),
    {
      retry: { attempts: 2 },
    },
  );
  assert.equal((await rejection(server.client.counter("k").add(1))).reason, "draining");
  assert.equal(server.requests.length, 2);
});

test("a retry that would come after the deadline is not waited for", async () => {
  await using server = await mesh((_, response) =>
    refuse(response, {
      status: 429,
      code: "resource_exhausted",
      reason: "no_capacity",
      retryAfterMs: 60_000,
    }),
  );
  const error = await rejection(server.client.counter("k").add(1));
  assert.deepEqual([error.reason, error.retryAfterMs], ["no_capacity", 60_000]);
  assert.equal(server.requests.length, 1);
});

test("a connection that breaks is tried again, and without a server it is unreachable", async () => {
  const server = await mesh(
    (request, response, count) =>
      count === 1 ? void response.socket?.destroy() : json(3)(request, response, count),
    { retry: { attempts: 2 } },
  );
  assert.equal(await server.client.counter("k").add(1), 3);
  assert.equal(server.requests.length, 2);
  await server[Symbol.asyncDispose]();
  const error = await rejection(server.client.counter("k").add(1));
  assert.deepEqual([error.code, error.reason], ["unavailable", "unreachable"]);
  assert.match(error.message, /cannot reach http:\/\/127.*ECONNREFUSED/);
});

test("an owner hint is echoed to its session only, and forgotten when a call fails without one", async () => {
  await using server = await mesh(
    (request, response, count) => {
      if (count === 1) response.setHeader("x-voda-host", "10.0.0.1:4100");
      if (count === 3) refuse(response, { status: 400, code: "invalid_argument", reason: "bad_request" });
      else json(1)(request, response, count);
    },
    { retry: { attempts: 1 } },
  );
  const { client, requests } = server;
  await client.counter("k").get();
  await client.counter("other").get();
  await rejection(client.counter("k").get());
  await client.counter("k").get();
  assert.deepEqual(
    requests.map((request) => request.headers["x-voda-host"]),
    [undefined, undefined, "10.0.0.1:4100", undefined],
  );
});

test("a call that gets no answer ends at its timeout", async () => {
  await using server = await mesh(() => {});
  const error = await rejection(server.client.counter("k").$with({ timeout: "500ms" }).add(1));
  assert.deepEqual([error.code, error.reason], ["deadline_exceeded", "timed_out"]);
  assert.match(
    error.message,
    /^no answer within the timeout of 500 ms: whether the call took effect is unknown/,
  );
  assert.ok(Number(server.requests[0]?.headers["connect-timeout-ms"]) <= 500);
});

test("the caller's signal ends a call in flight, one that waits to be sent again, and one not sent", {
  timeout: 15_000,
}, async () => {
  const controller = new AbortController();
  await using waiting = await mesh(() => controller.abort(new Error("enough")));
  const inFlight = await rejection(waiting.client.counter("k").$with({ signal: controller.signal }).add(1));
  assert.deepEqual(
    [inFlight.code, inFlight.reason, inFlight.cause],
    ["canceled", "aborted", controller.signal.reason],
  );

  const second = new AbortController();
  // Fires when the answer was read and the client waits for its next attempt.
  const abortAfter: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const text = await response.text();
    setTimeout(() => second.abort(), 50);
    return new Response(text, { status: response.status });
  };
  await using later = await mesh(
    (_, response) =>
      refuse(response, { status: 503, code: "unavailable", reason: "draining", retryAfterMs: 20_000 }),
    { fetch: abortAfter },
  );
  assert.equal(
    (await rejection(later.client.counter("k").$with({ signal: second.signal }).add(1))).code,
    "canceled",
  );
  assert.equal(
    (await rejection(later.client.counter("k").$with({ signal: AbortSignal.abort() }).add(1))).code,
    "canceled",
  );
  assert.equal(later.requests.length, 1);
});

test("$with sets key and headers for its calls and leaves the session it is called on", async () => {
  await using server = await mesh(json(1), { headers: { "x-team": "a", "x-app": "web" } });
  const session = server.client.counter("k");
  await session
    .$with({ id: "order-1" })
    .$with({ headers: { "X-Team": "b" } })
    .add(1);
  await session.add(1);
  const [first, second] = server.requests;
  assert.deepEqual(
    [first?.headers["idempotency-key"], first?.headers["x-team"], first?.headers["x-app"]],
    ["order-1", "b", "web"],
  );
  assert.equal(second?.headers["x-team"], "a");
  assert.equal(second?.headers["idempotency-key"], undefined);
});

test("an answer that is not the mesh's is an error that quotes it", async () => {
  const statuses: [number, string][] = [
    [400, "internal"],
    [401, "unauthenticated"],
    [403, "permission_denied"],
    [404, "unimplemented"],
    [429, "unavailable"],
    [502, "unavailable"],
    [503, "unavailable"],
    [504, "unavailable"],
    [500, "unknown"],
  ];
  await using server = await mesh(
    (_, response, count) => void response.writeHead(statuses[count - 1]?.[0] ?? 200).end("<html>"),
    {
      retry: { attempts: 1 },
    },
  );
  for (const [status, code] of statuses) {
    const error = await rejection(server.client.counter("k").get());
    assert.deepEqual(
      [error.code, error.reason, error.message],
      [code, "bad_answer", `HTTP status ${status}: "<html>"`],
    );
  }
  assert.match(
    (await rejection(server.client.counter("k").get())).message,
    /the answer is not JSON: "<html>"/,
  );
});

test("a body that has an unknown code, or details that do not decode, still gives an error", async () => {
  await using server = await mesh((_, response, count) => {
    const details = [{ type: "google.rpc.ErrorInfo", value: "/w" }, { type: "x.Other", value: "" }, null, 1];
    response
      .writeHead(409)
      .end(JSON.stringify(count === 1 ? { code: "strange" } : { code: "not_found", details }));
  });
  assert.deepEqual([(await rejection(server.client.counter("k").get())).code], ["unknown"]);
  const error = await rejection(server.client.counter("k").get());
  assert.deepEqual([error.code, error.message, error.reason], ["not_found", "", "unknown"]);
  assert.deepEqual(Object.keys(error.details), ["undecodable_detail"]);
});

test("bad keys and inputs are refused before anything is sent", async () => {
  await using server = await mesh(json(1));
  const { client, requests } = server;
  const refused = async (promise: Promise<unknown>, message: RegExp): Promise<void> => {
    const error = await rejection(promise);
    assert.deepEqual([error.code, error.reason], ["invalid_argument", "bad_request"]);
    assert.match(error.message, message);
  };
  await refused(client.counter("").get(), /the key is empty/);
  await refused(client.counter("x".repeat(300)).get(), /key of 300 bytes exceeds keyBytesMax 256/);
  await refused(client.counter("a\nb").get(), /control character/);
  await refused(client.counter("..").get(), /key ".." cannot stand in a URL/);
  await refused(
    client.counter("\ud800").get(),
    /^the key has half a character: a surrogate without its other half$/,
  );
  await refused(
    client.counter(untyped(5)).get(),
    /^the key is of type number; write it as text: String\(5\)$/,
  );
  await refused(
    client.counter(untyped(undefined)).get(),
    /^the key is of type undefined: 1 to 256 bytes of text$/,
  );
  await refused(
    client.counter("k").any(untyped(1n)),
    /the input is BigInt, which JSON does not have; send it as text/,
  );
  await refused(client.counter("k").any(untyped(() => 1)), /the input is function, which JSON does not have/);
  await refused(
    client.counter("k").any(untyped({ at: [new Date()] })),
    /the input\.at\[0\] is Date,.* its toISOString/,
  );
  assert.equal(requests.length, 0);
});

const untyped = (value: unknown): never => value as never;

test("bad options are refused at once", () => {
  const refused = (options: unknown, message: RegExp): void =>
    assert.throws(() => createClient(untyped(options)), message);
  const url = "http://127.0.0.1:1";
  refused({ url: "127.0.0.1:4000" }, /url of "127.0.0.1:4000" is neither/);
  refused({ url: "ftp://a" }, /url of "ftp:\/\/a" is neither/);
  refused({}, /url of undefined is neither/);
  refused({ url, token: "x" }, /client option "token" is unknown/);
  refused({ ulr: url }, /client option "ulr" is unknown \(did you mean url\?\)/);
  refused(url, /^TypeError: createClient takes an object: createClient\(\{ url \}\)$/);
  refused({ url, namespace: "A" }, /namespace "A" is not a name/);
  refused({ url, timeout: "2 sec" }, /timeout of "2 sec" is not a duration/);
  refused({ url, retry: { attempts: 0 } }, /retry.attempts of 0 is not a whole number of 1 to 100/);
  refused({ url, retry: { max: 1 } }, /retry option "max" is unknown/);
  refused({ url, headers: { "bad name": "x" } }, /bad name/);
  refused({ url, headers: { "Idempotency-Key": "x" } }, /header idempotency-key is the client's own/);
  const session = createClient<typeof config>({ url }).counter("k");
  assert.throws(() => session.$with(untyped({ ack: 1 })), /call option "ack" is unknown/);
  assert.throws(
    () => session.$with(untyped({ signal: 5 })),
    /^TypeError: signal of type number is no AbortSignal/,
  );
  assert.throws(() => session.$with({ timeout: 0 }), /timeout of 0 is out of range/);
  assert.throws(() => session.$with({ id: "a b" }), /id of "a b" is not 1 to 256 visible ASCII/);
});

test("clients and sessions can be awaited, returned from async functions and inspected", {
  timeout: 15_000,
}, async () => {
  const client = createClient<typeof config>({ url: "http://127.0.0.1:1" });
  const session = client.counter("k");
  assert.equal(await Promise.resolve(client), client);
  assert.equal(await Promise.resolve(session), session);
  assert.throws(() => Number(session), /call a method of it/);
  assert.equal(JSON.stringify(session), "{}");
});
