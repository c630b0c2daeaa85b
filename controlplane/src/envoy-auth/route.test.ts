import assert from "node:assert/strict";
import { test } from "node:test";
import type { PathHeaders } from "@voda/proto/session-path";
import { sessionOf } from "./route.ts";

const implementer = (namespace: string, service: string): string | undefined =>
  namespace === "default" && service === "shop.v1.CartService" ? "cart" : undefined;
const session = (target: string, headers: PathHeaders = {}): string => {
  const name = sessionOf(target, headers, implementer);
  return name === undefined ? "none" : `${name.namespace}|${name.agent}|${name.key}`;
};

test("plain paths name agent and key, and may name the namespace", () => {
  assert.equal(session("/agents/counter/a/increment"), "default|counter|a");
  assert.equal(session("/agents/counter/a%2Fb%2520%C3%A4/get?x=/y"), "default|counter|a/b%20ä");
  assert.equal(session("/namespaces/team-b/agents/counter/a/increment"), "team-b|counter|a");
});

test("typed paths take the session from its header and the agent from its service", () => {
  const path = "/shop.v1.CartService/AddItem";
  assert.equal(session(path, { "x-voda-session": "a%2Fb" }), "default|cart|a/b");
  assert.equal(session(`${path}?connect=v1`, { "x-voda-session": "7" }), "default|cart|7");
  assert.equal(session(path, { "x-voda-session": "7", "x-voda-agent": "cart-b" }), "default|cart-b|7");
});

test("what the node refuses names no session: nothing is placed or booked for it", () => {
  assert.equal(session("/agents/counter/alice/add", { "x-voda-namespace": "other" }), "none");
  for (const path of [
    "/",
    "/agents/counter",
    "/agents/counter/alice/add/extra",
    "/agents/Counter/a/b",
    "/x/y/z",
  ])
    assert.equal(session(path, { "x-voda-session": "7" }), "none", path);
  assert.equal(session("/shop.v1.CartService/AddItem"), "none");
  assert.equal(session("/shop.v1.Other/AddItem", { "x-voda-session": "7" }), "none");
});
