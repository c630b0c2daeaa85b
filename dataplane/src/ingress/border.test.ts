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

test("the rules of the mesh hold for the host a node listens on, in both versions of HTTP", () => {
  assert.equal(problem({}), "allowed");
  assert.equal(problem({ host: "10.0.0.1:4000", origin: "http://10.0.0.1:8000" }), "allowed");
  assert.match(
    problem({ host: "evil.example" }),
    /^permission_denied origin_refused: host evil\.example may/,
  );
  assert.match(problem({ ":authority": "evil.example", host: "localhost" }), /evil\.example/);
  assert.match(
    problem({ origin: "https://evil.example" }),
    /origin_refused: pages of https:\/\/evil\.example/,
  );
  assert.match(problem({ "sec-fetch-site": "cross-site" }), /origin_refused: a page of another site/);
});

test("a page reads the answer when its origin may call, or when Envoy has said so", () => {
  const readable = (origin: string, isFromEdge: boolean) =>
    border.readable(head({ origin }), isFromEdge)?.["access-control-allow-origin"];
  assert.equal(readable("https://app.example", false), "https://app.example");
  assert.equal(readable("https://other.example", false), undefined);
  assert.equal(readable("https://other.example", true), "https://other.example");
  assert.equal(border.readable(head({ host: "localhost" }), true), undefined);
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
