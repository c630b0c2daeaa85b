import assert from "node:assert/strict";
import { test } from "node:test";
import { borderRules } from "./border.ts";

const rules = borderRules({
  names: ["10.0.0.1", "mesh.example", "::"],
  origins: ["https://app.example", "http://app.example:8080"],
});
const claims = { host: undefined, origin: undefined, site: undefined };
const host = (value: string): string | undefined => rules.problem({ ...claims, host: value });
const origin = (value: string): string | undefined =>
  rules.problem({ host: "localhost", origin: value, site: "cross-site" });

test("a host is the loopback, an address, or a name that was allowed: others may have been rebound", () => {
  for (const value of [
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
    "Mesh.Example:4000",
  ])
    assert.equal(host(value), undefined, value);
  for (const value of [
    "evil.example",
    "evillocalhost",
    "xmesh.example",
    "mesh-example",
    "mesh.example.evil.example",
    "127.evil.example",
    "localhost.evil.example",
    "evil.example@localhost",
    "localhost:4000@evil.example",
    "localhost\n",
    "0x7f.1",
    "",
    "a b",
  ])
    assert.match(host(value) ?? "", /^host .* may not be called here; --allow-host names more$/s, value);
  assert.equal(rules.problem(claims), undefined, "HTTP/1.0 names none");
});

test("an origin is one that was allowed, or of an allowed host; a refusal names it and the flag", () => {
  for (const value of [
    "https://app.example",
    "http://app.example:8080",
    "http://localhost:3000",
    "http://127.0.0.1:5173",
    "http://[::1]:5173",
    "http://10.0.0.1:8000",
    "https://mesh.example",
  ]) {
    assert.equal(origin(value), undefined, value);
    assert.equal(rules.isAllowed(value), true, value);
  }
  for (const value of [
    "https://evil.example",
    "http://app.example",
    "https://app.example:8443",
    "https://app-example",
    "http://192.168.1.9",
    "https://mesh.example.evil.example",
    "http://localhost.evil.example",
    "null",
  ]) {
    const words = `pages of ${value} may not call here; --allow-origin names those that may`;
    assert.equal(origin(value), words);
    assert.equal(rules.isAllowed(value), false, value);
  }
  assert.match(origin("") ?? "", /^pages of "" may not/);
  assert.ok((origin(`https://${"a".repeat(1_000)}`) ?? "").length < 200);
});

test("a page of another site that hides its origin is refused; typed addresses and programs are not", () => {
  assert.match(
    rules.problem({ ...claims, site: "cross-site" }) ?? "",
    /a page of another site.*--allow-origin/,
  );
  for (const site of ["none", "same-origin", "same-site"])
    assert.equal(rules.problem({ ...claims, site }), undefined, site);
});
