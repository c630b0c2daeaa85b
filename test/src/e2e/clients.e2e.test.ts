// Clients of several kinds reach one session of `cart` through Envoy, and what they echo spares the picker.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { connect } from "node:http2";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type CallOptions, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport as overNode,
} from "@connectrpc/connect-node";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { createClient as createVoda } from "voda/client";
import {
  AddItemRequestSchema,
  AddItemResponseSchema,
  type Cart,
  CartService,
  GetCartResponseSchema,
} from "../../../examples/gen/shop/v1/cart_pb.ts";
import type config from "../../../examples/voda.config.ts";
import { call, type RunningMesh, startMesh } from "../kit/index.ts";

const run = promisify(execFile);
const add = "/shop.v1.CartService/AddItem";
const get = "/shop.v1.CartService/GetCart";
const asked = "http.ingress.ext_authz.ok";
const spared = "http.ingress.ext_authz.disabled";

let mesh: RunningMesh;
before(async () => {
  mesh = await startMesh();
});
after(() => mesh[Symbol.asyncDispose]());

const curl = async (...args: string[]): Promise<string> =>
  (await run("curl", ["--silent", "--show-error", ...args])).stdout;

/** Adds one of `sku` to the cart named `key`, and reads the cart, as one kind of client. */
type Shopper = (key: string, sku: string) => Promise<Cart | undefined>;

const overTransport =
  (transport: () => Transport): Shopper =>
  async (key, sku) => {
    const client = createClient(CartService, transport());
    const options: CallOptions = { headers: { "x-voda-session": key } };
    await client.addItem({ sku, quantity: 1 }, options);
    return (await client.getCart({}, options)).cart;
  };

const fromJson = (text: string): Cart | undefined => {
  const { cart } = JSON.parse(text) as {
    cart: { lines: { sku: string; quantity: number }[]; version: string };
  };
  return { $typeName: "shop.v1.Cart", version: BigInt(cart.version), lines: cart.lines as Cart["lines"] };
};

const shoppers: Readonly<Record<string, Shopper>> = {
  "curl-plain": async (key, sku) => {
    await curl("--json", JSON.stringify({ sku, quantity: 1 }), `${mesh.url}/agents/cart/${key}/addItem`);
    return fromJson(await curl("--json", "{}", `${mesh.url}/agents/cart/${key}/getCart`));
  },
  "curl-connect": async (key, sku) => {
    const header = ["--header", `x-voda-session: ${key}`];
    await curl("--json", JSON.stringify({ sku, quantity: 1 }), ...header, `${mesh.url}${add}`);
    return fromJson(await curl("--json", "{}", ...header, "--http2-prior-knowledge", `${mesh.url}${get}`));
  },
  "connect-h1": overTransport(() => createConnectTransport({ baseUrl: mesh.url, httpVersion: "1.1" })),
  "connect-h2": overTransport(() =>
    createConnectTransport({ baseUrl: mesh.url, httpVersion: "2", useBinaryFormat: false }),
  ),
  "connect-grpc": overTransport(() => createGrpcTransport({ baseUrl: mesh.url })),
  "grpc-web-fetch": overTransport(() => createGrpcWebTransport({ baseUrl: mesh.url })),
  "grpc-web-h2": overTransport(() => overNode({ baseUrl: mesh.url, httpVersion: "2" })),
  "grpc-js": async (key, sku) => {
    const client = new Client(new URL(mesh.url).host, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set("x-voda-session", key);
    const unary = (path: string, message: Uint8Array): Promise<Buffer> =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          path,
          (bytes: Buffer) => bytes,
          (bytes) => bytes,
          Buffer.from(message),
          metadata,
          (error, answer) =>
            error === null && answer !== undefined
              ? resolve(answer)
              : reject(error ?? new Error("no answer")),
        );
      });
    await unary(
      add,
      toBinary(AddItemRequestSchema, { $typeName: "shop.v1.AddItemRequest", sku, quantity: 1 }),
    );
    const answer = await unary(get, new Uint8Array(0));
    client.close();
    return fromBinary(GetCartResponseSchema, answer).cart;
  },
  "raw-h2": async (key, sku) => {
    const message = toBinary(AddItemRequestSchema, { $typeName: "shop.v1.AddItemRequest", sku, quantity: 1 });
    return fromBinary(AddItemResponseSchema, await rawGrpc(add, key, message)).cart;
  },
  "voda-client": async (key, sku) => {
    // The methods of a protobuf service have their types in generated clients; this one reaches them by the
    // same names.
    const session = createVoda<typeof config>({ url: mesh.url }).cart(key);
    const untyped = session as typeof session & { addItem(item: object): Promise<unknown> };
    return fromJson(JSON.stringify(await untyped.addItem({ sku, quantity: 1 })));
  },
};

/** gRPC by hand: a prefix of five bytes, the message, the status in the trailers. */
async function rawGrpc(path: string, session: string, message: Uint8Array): Promise<Buffer> {
  const connection = connect(mesh.url);
  const stream = connection.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    "x-voda-session": session,
  });
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([prefix, message]));
  let status: unknown;
  stream.on("trailers", (trailers) => {
    status = trailers["grpc-status"];
  });
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  connection.close();
  const answer = Buffer.concat(chunks);
  assert.equal(status, "0");
  assert.equal(answer.readUInt32BE(1), answer.length - 5);
  return answer.subarray(5);
}

test("clients of every kind see what all others put into the same cart", async () => {
  const seen: string[] = [];
  for (const [sku, shop] of Object.entries(shoppers)) {
    seen.push(sku);
    const cart = await shop("shared", sku);
    assert.deepEqual(
      cart?.lines.map((line) => line.sku),
      seen.toSorted(),
      `the cart as ${sku} sees it`,
    );
    assert.equal(cart.version, BigInt(seen.length));
  }
});

test("sessions of agents that name no place are spread over the nodes", async () => {
  const owners = new Map<string, number>();
  for (let i = 0; i < 12; i += 1) {
    const host =
      (await call(mesh.url, `counter/spread-${i}/add`, { input: 1 })).headers.get("x-voda-host") ?? "";
    owners.set(host, (owners.get(host) ?? 0) + 1);
  }
  const { nodes } = mesh.describe();
  const fewest = Math.min(...nodes.map(({ ingress }) => owners.get(ingress) ?? 0));
  assert.ok(fewest >= 3, JSON.stringify([...owners]));
});

test("a client that echoes the owner's hint is routed without asking the picker", async () => {
  const first = await call(mesh.url, "counter/hinted/add", { input: 1 });
  const hint = first.headers.get("x-voda-host") ?? "";
  assert.ok(mesh.describe().nodes.some(({ ingress }) => ingress === hint));
  const earlier = { asked: await mesh.stat(asked), spared: await mesh.stat(spared) };
  for (let i = 2; i <= 6; i += 1) {
    const called = await call(mesh.url, "counter/hinted/add", { input: 1, headers: { "x-voda-host": hint } });
    assert.deepEqual([called.body, called.headers.get("x-voda-host")], [i, hint]);
  }
  assert.deepEqual(
    { asked: await mesh.stat(asked), spared: await mesh.stat(spared) },
    { asked: earlier.asked, spared: earlier.spared + 5 },
  );
});

test("voda/client echoes hints by itself", async () => {
  const session = createVoda<typeof config>({ url: mesh.url }).counter("typed");
  assert.equal(await session.add(1), 1);
  const earlier = await mesh.stat(asked);
  for (let i = 2; i <= 6; i += 1) assert.equal(await session.add(1), i);
  assert.equal(await mesh.stat(asked), earlier);
});

test("no answer sets a cookie; a page that cannot set headers may send the hint as one", async () => {
  const first = await call(mesh.url, "counter/cookied/add", { input: 1 });
  assert.equal(first.headers.get("set-cookie"), null);
  const cookie = `voda_host=${first.headers.get("x-voda-host")}`;
  const earlier = { asked: await mesh.stat(asked), spared: await mesh.stat(spared) };
  assert.equal((await call(mesh.url, "counter/cookied/add", { input: 1, headers: { cookie } })).body, 2);
  assert.deepEqual(
    { asked: await mesh.stat(asked), spared: await mesh.stat(spared) },
    { asked: earlier.asked, spared: earlier.spared + 1 },
  );
});
