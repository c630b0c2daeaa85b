import assert from "node:assert/strict";
import { test } from "node:test";
import { createBorder } from "./border.ts";
import type { RequestHead } from "./head.ts";

const border = createBorder({
  host: "10.0.0.1",
  allowHosts: ["mesh.example"],
  allowOrigins: ["https://app.example", "http://app.example:8080"],
});
const head = (headers: Record<string, string>, method = "POST"): RequestHead => {
  return { method, target: "/agents/a/k/m", http: 1, headersBytes: 0, headers };
};
const problem = (headers: Record<string, string>): string => {
  const failure = border.problem(head(headers))?.failure;
  return failure === undefined ? "allowed" : `${failure.code} ${failure.reason}: ${failure.message}`;
};

test("a host is the loopback, an address, or a name that was allowed: others may have been rebound", () => {
  for (const host of [
    "localhost",
    "localhost:4000",
    "LOCALHOST:4000",
    "app.localhost",
    "127.0.0.1:4000",
    "[::1]:4000",
    "10.0.0.1:4000",
    "192.168.1.9",
    "[fe80::1]:4000",
    "mesh.example",
    "mesh.example:4000",
  ])
    assert.equal(problem({ host }), "allowed", host);
  for (const host of [
    "evil.example",
    "mesh.example.evil.example",
    "127.evil.example",
    "localhost.evil.example",
    "",
    "a b",
  ])
    assert.match(problem({ host }), /^permission_denied origin_refused: host .* is not allowed/, host);
  assert.match(problem({ ":authority": "evil.example", host: "localhost" }), /evil.example/);
});

test("HTTP/1.0 names no host, and no browser sends it", () => {
  assert.equal(problem({}), "allowed");
});

test("an origin is one that was allowed, or of an allowed host", () => {
  for (const origin of [
    "https://app.example",
    "http://app.example:8080",
    "http://localhost:3000",
    "http://127.0.0.1:5173",
    "http://[::1]:5173",
    "http://10.0.0.1:8000",
    "https://mesh.example",
  ]) {
    assert.equal(
      problem({ host: "localhost:4000", origin, "sec-fetch-site": "cross-site" }),
      "allowed",
      origin,
    );
    assert.equal(border.readable(head({ origin }), false)?.["access-control-allow-origin"], origin);
  }
  for (const origin of [
    "https://evil.example",
    "http://app.example",
    "https://app.example:8443",
    "http://192.168.1.9",
    "https://mesh.example.evil.example",
    "null",
    "",
  ]) {
    assert.match(
      problem({ host: "localhost:4000", origin }),
      /^permission_denied origin_refused: pages of/,
      origin,
    );
    assert.equal(border.readable(head({ origin }), false), undefined);
  }
});

test("a request that another site caused and that does not say which is refused; one without a page is not", () => {
  assert.match(problem({ host: "localhost", "sec-fetch-site": "cross-site" }), /a page of another site/);
  for (const site of ["none", "same-origin", "same-site"])
    assert.equal(problem({ host: "localhost", "sec-fetch-site": site }), "allowed");
  assert.equal(border.readable(head({ host: "localhost" }), false), undefined);
});

test("a browser that asks first is told what it may send; other OPTIONS are no question", () => {
  const asked = { origin: "https://app.example", "access-control-request-method": "POST" };
  const answer = border.preflight(head(asked, "OPTIONS"), false);
  assert.equal(answer?.status, 200);
  assert.equal(answer.headers["access-control-allow-origin"], "https://app.example");
  assert.equal(answer.headers["access-control-allow-private-network"], undefined);
  for (const name of [
    "content-type",
    "idempotency-key",
    "x-voda-session",
    "connect-protocol-version",
    "x-voda-call",
  ])
    assert.ok(answer.headers["access-control-allow-headers"]?.split(", ").includes(name), name);
  const inside = { ...asked, "access-control-request-private-network": "true" };
  assert.equal(
    border.preflight(head(inside, "OPTIONS"), false)?.headers["access-control-allow-private-network"],
    "true",
  );
  assert.equal(border.preflight(head({ origin: "https://app.example" }, "OPTIONS"), false), undefined);
  assert.equal(border.preflight(head(asked), false), undefined);
});
