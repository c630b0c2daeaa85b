import assert from "node:assert/strict";
import { test } from "node:test";
import { type RequestHead, routeOf } from "./route.ts";

const implementer = (namespace: string, service: string): string | undefined =>
  namespace === "default" && service === "shop.v1.CartService" ? "cart" : undefined;
const route = (path: string, more: Partial<RequestHead> = {}): string => {
  const name = routeOf(
    { path, session: undefined, namespace: undefined, agent: undefined, ...more },
    implementer,
  );
  return name === undefined ? "none" : `${name.namespace}|${name.agent}|${name.key}`;
};

test("plain paths name agent and key, and may name the namespace", () => {
  assert.equal(route("/agents/counter/a/increment"), "default|counter|a");
  assert.equal(route("/agents/counter/a/increment?x=/y"), "default|counter|a");
  assert.equal(route("/agents/counter/a"), "default|counter|a");
  assert.equal(route("/namespaces/team-b/agents/counter/a/increment"), "team-b|counter|a");
  assert.equal(route("/agents/counter/a/increment", { namespace: "team-b" }), "team-b|counter|a");
});

test("keys are percent-decoded once, with escaped slashes", () => {
  assert.equal(route("/agents/counter/a%2Fb%2520%C3%A4/get"), "default|counter|a/b%20ä");
  assert.equal(route("/shop.v1.CartService/AddItem", { session: "a%2Fb" }), "default|cart|a/b");
});

test("typed paths take the session from its header and the agent from its service", () => {
  assert.equal(route("/shop.v1.CartService/AddItem", { session: "7" }), "default|cart|7");
  assert.equal(route("/shop.v1.CartService/AddItem?connect=v1", { session: "7" }), "default|cart|7");
  assert.equal(route("/shop.v1.CartService/AddItem", { session: "7", agent: "cart-b" }), "default|cart-b|7");
});

test("what names no session is left to the node", () => {
  const long = "k".repeat(257);
  for (const path of [
    "/",
    "/agents/counter",
    "/agents/Counter/a/b",
    `/agents/counter/${long}/b`,
    "/agents/counter/%ff/b",
    "/x/y/z",
  ]) {
    assert.equal(route(path, { session: "7" }), "none", path);
  }
  assert.equal(route("/shop.v1.CartService/AddItem"), "none");
  assert.equal(route("/shop.v1.Other/AddItem", { session: "7" }), "none");
  assert.equal(route("/shop.v1.CartService/AddItem", { session: "a%0Ab" }), "none");
});
