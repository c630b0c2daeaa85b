// What a browser's requests get at a node, over both versions of HTTP.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { connect } from "node:http2";
import { type TestContext, test } from "node:test";
import { type Bed, openBed, proof, service } from "../../test/ingress-bed.ts";

type Sent = Readonly<Record<string, string>>;
interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** `target`: as it is sent; a path, or in absolute form. */
async function send1(bed: Bed, method: string, target: string, headers: Sent): Promise<Got> {
  const out = http.request(bed.url, {
    method,
    path: target,
    headers,
    setHost: headers["host"] === undefined,
  });
  const [response] = (await once(out.end(), "response")) as [http.IncomingMessage];
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

async function send2(t: TestContext, bed: Bed, headers: Sent): Promise<Got> {
  const session = connect(bed.url);
  t.after(() => session.destroy());
  const stream = session.request(headers, { endStream: true });
  const [got] = (await once(stream, "response")) as [Record<string, string>];
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return { status: Number(got[":status"]), headers: got, text };
}

const path = "/agents/probe/k/echo";
const evil = "https://evil.example";

test("no handler runs for a foreign page, whatever its request looks like", async (t) => {
  const bed = await openBed(t);
  const refused: readonly Promise<Got>[] = [
    send1(bed, "POST", path, { origin: evil, "content-length": "0" }),
    send1(bed, "POST", path, { origin: evil, "sec-fetch-site": "cross-site", "content-length": "0" }),
    send1(bed, "POST", path, { origin: "null" }),
    send1(bed, "POST", path, { host: "evil.example", origin: "http://evil.example" }),
    send1(bed, "POST", path, { host: "evil.example" }),
    send1(bed, "POST", `http://evil.example${path}`, { host: "localhost" }),
    send1(bed, "POST", `http://localhost@evil.example${path}`, {}),
    send1(bed, "GET", `/${service}/GetSession?connect=v1&encoding=json&message=%7B%7D`, {
      "sec-fetch-site": "cross-site",
      "x-voda-session": "k",
    }),
    send2(t, bed, { ":method": "POST", ":path": path, ":authority": "evil.example" }),
    send2(t, bed, { ":method": "POST", ":path": path, origin: evil }),
    send1(bed, "OPTIONS", path, { origin: evil, "access-control-request-method": "POST" }),
  ];
  for (const { status, headers, text } of await Promise.all(refused)) {
    assert.equal(status, 403, text);
    assert.match(text, /"reason":"origin_refused"/);
    assert.equal(headers["access-control-allow-origin"], undefined);
  }
  assert.equal(bed.seen.length, 0);
});

test("a target in absolute form is served, and its authority is the host, whatever the header says", async (t) => {
  const bed = await openBed(t);
  for (const [authority, host] of [
    ["http://localhost", "localhost"],
    ["HTTP://127.0.0.1:1", "evil.example"],
  ] as const) {
    const got = await send1(bed, "POST", `${authority}${path}`, { host, "content-length": "0" });
    assert.equal(got.status, 200, got.text);
    assert.equal((await send1(bed, "GET", `${authority}/healthz`, { host })).status, 200);
    assert.equal((await send1(bed, "GET", `${authority}?a=/agents/probe/k/echo`, { host })).status, 404);
  }
  assert.equal(bed.seen.length, 2);
});

test("the page of an allowed origin asks, calls and reads the answer, also a refusal", async (t) => {
  const origin = "https://app.example";
  const bed = await openBed(t, { allowOrigins: [origin], allowHosts: ["mesh.example"] });
  bed.meta = { hint: "10.0.0.1:4001" };
  const asked = {
    origin,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type",
  };
  const preflight = await send1(bed, "OPTIONS", path, asked);
  assert.deepEqual([preflight.status, preflight.text], [200, ""]);
  assert.equal(preflight.headers["access-control-allow-origin"], origin);
  assert.match(String(preflight.headers["access-control-allow-headers"]), /content-type/);
  const sent = { origin, host: "mesh.example", "sec-fetch-site": "cross-site", "content-length": "0" };
  for (const got of [
    await send1(bed, "POST", path, sent),
    await send1(bed, "POST", "/agents/probe/k/nope", sent),
    await send2(t, bed, { ":method": "POST", ":path": path, ":authority": "mesh.example", origin }),
  ]) {
    assert.equal(got.headers["access-control-allow-origin"], origin, got.text);
    assert.match(String(got.headers["access-control-expose-headers"]), /x-voda-host/);
    assert.equal(got.headers["vary"], "origin");
  }
  assert.equal(bed.seen.length, 2);
});

test("Envoy has looked at host and origin: the page that it lets pass reads the answer", async (t) => {
  const bed = await openBed(t);
  const sent = { host: "mesh.example", origin: "https://app.example", ...proof };
  const asked = { ...sent, "access-control-request-method": "POST" };
  for (const got of [
    await send1(bed, "POST", path, { ...sent, "content-length": "0" }),
    await send1(bed, "OPTIONS", path, asked),
  ])
    assert.deepEqual([got.status, got.headers["access-control-allow-origin"]], [200, "https://app.example"]);
});
