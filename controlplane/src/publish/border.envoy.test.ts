import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { errorReasonOf } from "../../../test/src/kit/errors.ts";
import {
  callHttp1,
  callHttp2,
  openEcho,
  openTestIngress,
  type TestIngress,
  type TestServer,
  testHost,
  testOrigin,
} from "../../../test/src/kit/ingress.ts";

let node: TestServer;
let ingress: TestIngress;

before(async () => {
  node = await openEcho("n1");
  ingress = await openTestIngress([node]);
});
after(async () => {
  await ingress[Symbol.asyncDispose]();
  await node.close();
});
beforeEach(() => {
  ingress.picker.asked.length = 0;
});

const plain = "/agents/counter/a/add";
const api = "/voda.api.v1.AgentService/DeployAgents";
const statuses = (list: readonly Readonly<Record<string, string>>[], path: string): Promise<number[]> =>
  Promise.all(list.map(async (headers) => (await callHttp1(ingress.port, path, headers)).status));

test("a host is the loopback, an address or an allowed name, on any port and in any case", async () => {
  const hosts = [
    "localhost",
    "LOCALHOST:4000",
    "app.localhost:1",
    "10.1.2.3",
    "[::1]:80",
    testHost,
    "127.0.0.1",
  ];
  for (const path of [plain, api]) {
    const list = hosts.map((host) => ({ host }));
    assert.deepEqual(await statuses(list, path), Array(hosts.length).fill(200), path);
  }
});

test("a name that was led here is refused before anybody is asked, for sessions and for the API", async () => {
  const hosts = [
    "evil.example",
    "evil.example:4000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    `x${testHost}`,
    `${testHost}.evil.example`,
    "evillocalhost",
  ];
  for (const path of [plain, api]) {
    const list = hosts.map((host) => ({ host }));
    assert.deepEqual(await statuses(list, path), Array(hosts.length).fill(403), path);
  }
  assert.equal(ingress.picker.asked.length, 0);
  const reply = await callHttp1(ingress.port, plain, { host: "evil.example" });
  assert.equal(reply.headers["content-type"], "application/json");
  assert.deepEqual(errorReasonOf(reply.text), {
    code: "permission_denied",
    reason: "origin_refused",
    message: "host evil.example may not be called here; --allow-host names more",
  });
});

test("pages of the loopback, of the listener's names and of allowed origins may call, others not", async () => {
  const may = ["http://localhost:5173", "https://127.0.0.1", `http://${testHost}:4000`, testOrigin];
  const mayNot = [
    "https://evil.example",
    "null",
    "http://10.1.2.3",
    `${testOrigin}.evil.example`,
    "http://localhost.evil.example",
    "https://app-example",
  ];
  for (const path of [plain, api]) {
    const [good, bad] = [may, mayNot].map((list) => list.map((origin) => ({ origin })));
    assert.deepEqual(await statuses(good ?? [], path), Array(may.length).fill(200), path);
    assert.deepEqual(await statuses(bad ?? [], path), Array(mayNot.length).fill(403), path);
  }
  const odd = 'https://evil.example/"100%';
  const { message } = errorReasonOf((await callHttp1(ingress.port, plain, { origin: odd })).text);
  assert.equal(message, `pages of ${odd} may not call here; --allow-origin names those that may`);
});

test("a page of another site that hides its origin is refused; typed addresses and programs are not", async () => {
  const site = (value: string) => ({ "sec-fetch-site": value });
  assert.deepEqual(await statuses([site("cross-site")], plain), [403]);
  assert.deepEqual(await statuses([site("none"), site("same-origin"), {}], plain), [200, 200, 200]);
  assert.deepEqual(await statuses([{ ...site("cross-site"), origin: testOrigin }], plain), [200]);
});

test("gRPC callers of a refused name get a status with its reason", async () => {
  const reply = await callHttp2(ingress.port, "/shop.v1.Cart/Add", {
    ":authority": "evil.example",
    "content-type": "application/grpc",
    te: "trailers",
  });
  assert.deepEqual([reply.status, reply.headers["grpc-status"]], [200, "7"]);
  assert.match(String(reply.headers["grpc-message"]), /^host evil\.example or .* --allow-host/);
  assert.match(
    Buffer.from(String(reply.headers["grpc-status-details-bin"]), "base64").toString("latin1"),
    /origin_refused/,
  );
});

test("a browser's question before a call reaches a node and places nothing", async () => {
  const reply = await callHttp1(ingress.port, plain, { origin: testOrigin }, "", "OPTIONS");
  assert.equal(reply.seen().server, "n1");
  assert.equal(ingress.picker.asked.length, 0);
});
