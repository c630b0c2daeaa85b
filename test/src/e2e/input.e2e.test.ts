// Bad input through Envoy: a clear error in the caller's protocol, nothing lost, every process lives.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:http2";
import { createServer } from "node:net";
import { after, afterEach, before, test } from "node:test";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { headersMax } from "@voda/proto/wire";
import { CartService } from "../../../examples/gen/shop/v1/cart_pb.ts";
import {
  call,
  examples,
  pidsOf,
  programs,
  type RunningMesh,
  refusal,
  startMesh,
  startProcess,
} from "../kit/index.ts";

const add = "/shop.v1.CartService/AddItem";
const bodyBytesMax = 4_194_304;

let mesh: RunningMesh;
let pids: readonly number[];
before(async () => {
  mesh = await startMesh();
  pids = pidsOf(mesh.describe());
  assert.equal(
    (await call(mesh.url, "cart/good/addItem", { input: { sku: "tea", quantity: 1 } })).status,
    200,
  );
  assert.equal((await call(mesh.url, "counter/good/add", { input: 1 })).body, 1);
});
after(() => mesh[Symbol.asyncDispose]());

afterEach(async () => {
  assert.deepEqual(pidsOf(mesh.describe()), pids, "a process died");
  const { body } = await call(mesh.url, "cart/good/getCart", { input: {} });
  assert.deepEqual(body, { cart: { lines: [{ sku: "tea", quantity: 1 }], version: "1" } });
  assert.equal((await call(mesh.url, "counter/good/get")).body, 1);
});

const transports = {
  Connect: () => createConnectTransport({ baseUrl: mesh.url, httpVersion: "1.1" }),
  gRPC: () => createGrpcTransport({ baseUrl: mesh.url }),
  "gRPC-Web": () => createGrpcWebTransport({ baseUrl: mesh.url, httpVersion: "1.1" }),
};

/** What a typed client is told, in each of the three protocols. */
async function refusedTyped(
  session: string,
  sku: string,
  headers: Record<string, string> = {},
): Promise<ConnectError[]> {
  return Promise.all(
    Object.values(transports).map(async (transport) => {
      const client = createClient(CartService, transport());
      try {
        await client.addItem({ sku, quantity: 1 }, { headers: { "x-voda-session": session, ...headers } });
      } catch (error) {
        return ConnectError.from(error);
      }
      throw new Error("the call was not refused");
    }),
  );
}

/** Bytes as they are, under gRPC of another implementation. */
function grpc(path: string, session: string, bytes: Uint8Array): Promise<ServiceError | null> {
  const client = new Client(new URL(mesh.url).host, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set("x-voda-session", session);
  return new Promise((resolve) => {
    const asIs = (value: Buffer): Buffer => value;
    client.makeUnaryRequest(path, asIs, asIs, Buffer.from(bytes), metadata, (error) => {
      client.close();
      resolve(error);
    });
  });
}

async function post(
  path: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string>,
): Promise<{ status: number; text: string }> {
  const response = await fetch(`${mesh.url}${path}`, { method: "POST", body, headers });
  return { status: response.status, text: await response.text() };
}

test("an unknown agent, method or service is named", async () => {
  const agent = await call(mesh.url, "nobody/k/add", { input: 1 });
  assert.deepEqual([agent.status, refusal(agent).reason], [404, "agent_not_found"]);
  assert.match(refusal(agent).message ?? "", /nobody/);
  const method = await call(mesh.url, "counter/k/multiply", { input: 1 });
  assert.deepEqual([method.status, refusal(method).reason], [404, "method_not_found"]);
  assert.match(refusal(method).message ?? "", /multiply/);
  const rpc = await grpc("/shop.v1.CartService/RemoveItem", "k", new Uint8Array(0));
  assert.equal(rpc?.code, status.UNIMPLEMENTED);
  assert.match(rpc.details, /RemoveItem/);
  const service = await grpc("/shop.v1.NoService/Get", "k", new Uint8Array(0));
  assert.equal(service?.code, status.UNIMPLEMENTED);
  assert.match(service.details, /NoService/);
});

test("a key of 300 bytes is refused with both numbers in every protocol", async () => {
  const key = "k".repeat(300);
  const plain = await call(mesh.url, `counter/${key}/add`, { input: 1 });
  assert.equal(plain.status, 400);
  assert.match(refusal(plain).message ?? "", /300 bytes exceeds keyBytesMax 256/);
  for (const error of await refusedTyped(key, "tea")) {
    assert.equal(error.code, Code.InvalidArgument);
    assert.match(error.rawMessage, /300 bytes exceeds keyBytesMax 256/);
  }
});

test("as many headers as Envoy lets through reach the agent, over both versions of HTTP", async (t) => {
  const many = Array.from({ length: headersMax - 16 }, (_, i) => [`x-h${i}`, "v"] as const);
  const more = { "content-type": "application/json", ...Object.fromEntries(many) };
  assert.equal((await post("/agents/counter/good/get", "", more)).status, 200);
  const session = connect(mesh.url);
  t.after(() => session.destroy());
  const stream = session.request({ ":method": "POST", ":path": "/agents/counter/good/get", ...more });
  stream.end();
  const [got] = (await once(stream, "response")) as [Record<string, unknown>];
  assert.equal(got[":status"], 200);
});

test("a body over the limit is refused with both numbers in every protocol", async () => {
  const plain = await call(mesh.url, "counter/k/add", { input: "x".repeat(bodyBytesMax) });
  assert.equal(plain.status, 413);
  assert.equal(refusal(plain).reason, "too_large");
  assert.match(refusal(plain).message ?? "", /4194306.*4194304/);
  for (const error of await refusedTyped("k", "x".repeat(bodyBytesMax))) {
    assert.equal(error.code, Code.ResourceExhausted);
    assert.match(error.rawMessage, /41943\d\d.*4194304/);
  }
});

test("JSON that is none is refused, plain and over Connect", async () => {
  for (const [path, headers] of [
    ["/agents/counter/k/add", {}],
    [add, { "x-voda-session": "k", "connect-protocol-version": "1" }],
  ] as const) {
    const answer = await post(path, '{"sku":', { "content-type": "application/json", ...headers });
    assert.equal(answer.status, 400, path);
    const { code, message } = JSON.parse(answer.text) as { code: string; message: string };
    assert.equal(code, "invalid_argument");
    assert.match(message, /JSON/);
  }
});

test("protobuf that is none is refused, over Connect and gRPC", async () => {
  const garbage = new Uint8Array([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x01]);
  const connected = await post(add, garbage, { "content-type": "application/proto", "x-voda-session": "k" });
  assert.equal(connected.status, 400);
  assert.equal((JSON.parse(connected.text) as { code: string }).code, "invalid_argument");
  const error = await grpc(add, "k", garbage);
  assert.equal(error?.code, status.INVALID_ARGUMENT);
  assert.match(error.details, /shop\.v1\.AddItemRequest/);
});

test("a gRPC frame that promises more than it has is refused", async () => {
  const connection = connect(mesh.url);
  const stream = connection.request({
    ":method": "POST",
    ":path": add,
    "content-type": "application/grpc",
    te: "trailers",
    "x-voda-session": "k",
  });
  stream.end(Buffer.from([0, 0, 0, 0, 200, 1, 2, 3]));
  const [headers] = (await once(stream, "response")) as [Record<string, string>];
  connection.close();
  assert.equal(headers["grpc-status"], String(status.INVALID_ARGUMENT));
  assert.match(decodeURIComponent(headers["grpc-message"] ?? ""), /200 bytes/);
});

test("a page of this machine asks, calls and reads; a foreign one runs nothing", async () => {
  const url = `${mesh.url}/agents/counter/paged/add`;
  const page = { origin: "http://localhost:5173", "sec-fetch-site": "cross-site" };
  const asked = { ...page, "access-control-request-method": "POST" };
  const preflight = await fetch(url, { method: "OPTIONS", headers: asked });
  const sent = { "content-type": "application/json" };
  const called = await fetch(url, { method: "POST", body: "1", headers: { ...sent, ...page } });
  for (const { status: got, headers } of [preflight, called])
    assert.deepEqual([got, headers.get("access-control-allow-origin")], [200, page.origin]);
  const foreign = { origin: "https://evil.example", "content-length": "0" };
  const refused = await call(mesh.url, "counter/paged/add", { headers: foreign });
  assert.deepEqual([refused.status, refusal(refused).reason], [403, "origin_refused"]);
  assert.equal((await call(mesh.url, "counter/paged/get")).body, 1);
});

test("a header that contradicts a plain path is refused, whoever reads it", async () => {
  const headers = { "x-voda-namespace": "other" };
  const called = await call(mesh.url, "counter/alice/add", { input: 1, headers });
  assert.deepEqual([called.status, refusal(called).reason], [400, "bad_request"]);
  assert.match(refusal(called).message ?? "", /x-voda-namespace says "other", the path says "default"/);
});

test("a grant that a client brings is taken away before anybody sees it", async () => {
  const headers = { "x-voda-grant": "eyJhbGciOiJFZERTQSJ9.e30.AAAA" };
  const called = await call(mesh.url, "counter/granted/add", { input: 1, headers });
  assert.deepEqual([called.status, called.body], [200, 1]);
  const hinted = { ...headers, "x-voda-host": called.headers.get("x-voda-host") ?? "" };
  assert.equal((await call(mesh.url, "counter/granted/add", { input: 1, headers: hinted })).body, 2);
  assert.equal((await call(mesh.url, "counter/granted-too/add", { input: 1, headers: hinted })).body, 1);
});

for (const hint of ["127.0.0.1:1", "10.0.0.1:22", "[::1]:80", "nonsense", "n1", ",", "127.0.0.1:99999"]) {
  test(`a forged hint ${hint} is no way to another place`, async () => {
    const forged = [{ "x-voda-host": hint }, { cookie: `voda_host=${hint}` }];
    for (const [i, headers] of forged.entries()) {
      const called = await call(mesh.url, `counter/hint-${hint}/add`.replaceAll(/[[\],]/g, "_"), {
        input: 1,
        headers,
      });
      assert.deepEqual([called.status, called.body], [200, i + 1]);
      assert.ok(mesh.describe().nodes.some(({ ingress }) => ingress === called.headers.get("x-voda-host")));
    }
  });
}

test("an idempotency key with another body is refused and changes nothing", async () => {
  assert.equal((await call(mesh.url, "counter/keyed/add", { input: 5, id: "k" })).body, 5);
  const reused = await call(mesh.url, "counter/keyed/add", { input: 6, id: "k" });
  assert.deepEqual([reused.status, refusal(reused).reason], [400, "idempotency_key_reused"]);
  assert.equal((await call(mesh.url, "counter/keyed/add", { input: 5, id: "k" })).body, 5);
  assert.equal((await call(mesh.url, "counter/keyed/get")).body, 5);
});

test("voda up on a port in use ends with one line that names the port and the way out", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const address = holder.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  try {
    const args = [
      programs().cli,
      "up",
      "--config",
      examples,
      "--data-dir",
      `${mesh.dataDir}-other`,
      "--ingress-port",
      String(port),
    ];
    const up = await startProcess({
      command: process.execPath,
      args,
      ready: (output) => output.endsWith("\n"),
    });
    assert.equal(await up.exited, 1);
    assert.match(
      up.output(),
      new RegExp(`^voda: .*port ${port} is in use; .*--ingress-port \\(0 = any free port\\)\n$`),
    );
  } finally {
    holder.close();
  }
});
