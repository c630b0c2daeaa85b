import assert from "node:assert/strict";
import { test } from "node:test";
import { type PathHeaders, pathOf, readPlainPath, readSessionPath } from "./session-path.ts";

const read = (path: string, headers: PathHeaders = {}) => readSessionPath(path, headers, readPlainPath);

test("a plain path is split and decoded once", () => {
  assert.deepEqual(read("/namespaces/team-1/agents/probe/a%252Fb%2F/m%C3%A9"), {
    type: "plain",
    name: { namespace: "team-1", agent: "probe", key: "a%2Fb/" },
    method: "mé",
    prefix: "/namespaces/team-1/agents/probe/a%252Fb%2F",
  });
  assert.equal(pathOf("/agents/counter/a/add?x=/y"), "/agents/counter/a/add");
});

for (const [path, headers, message] of [
  [
    "/agents/counter/alice/add",
    { "x-voda-namespace": "other" },
    /x-voda-namespace says "other", the path says "default"/,
  ],
  ["/namespaces/b/agents/counter/alice/add", { "x-voda-namespace": "default" }, /the path says "b"/],
  [
    "/agents/counter/alice/add",
    { "x-voda-agent": "cart" },
    /x-voda-agent says "cart", the path says "counter"/,
  ],
  [
    "/agents/counter/alice/add",
    { "x-voda-session": "bob" },
    /x-voda-session says "bob", the path says "alice"/,
  ],
  ["/agents/counter/alice/add", { "x-voda-session": "%" }, /x-voda-session says "%"/],
  ["/agents/counter/alice/add", { "x-voda-namespace": "" }, /x-voda-namespace says ""/],
  ["/agents/counter/alice/add", { "x-voda-namespace": ["default", "other"] }, /says "default, other"/],
] as const) {
  test(`a header that contradicts the path is refused: ${path} ${JSON.stringify(headers)}`, () => {
    const problem = read(path, headers);
    assert.ok(problem.type === "problem");
    assert.equal(problem.reason, "bad_request");
    assert.match(problem.message, message);
  });
}

test("a header may say what the path says", () => {
  const headers = { "x-voda-namespace": "default", "x-voda-agent": "counter", "x-voda-session": "a%2Fb" };
  assert.equal(read("/agents/counter/a%2Fb/add", headers).type, "plain");
});

test("a plain path has exactly one method behind its key", () => {
  for (const path of [
    "/agents/counter/alice/add/extra",
    "/agents/counter/alice/add/",
    "/agents/counter/alice",
    "/namespaces/b/agents",
    "/namespaces/b/agents/counter/alice/add/extra",
  ]) {
    const problem = read(path);
    assert.deepEqual(
      [problem.type, problem.type === "problem" && problem.reason],
      ["problem", "method_not_found"],
      path,
    );
  }
});

test("a method that is empty is told with the form of the path, one that is too long with its bound", () => {
  const said = (path: string): string => {
    const problem = read(path);
    return problem.type === "problem" ? problem.message : "";
  };
  assert.equal(said("/agents/a/k/"), "the method is empty; calls go to POST /agents/{agent}/{key}/{method}");
  assert.equal(said(`/agents/a/k/${"m".repeat(129)}`), "method of 129 bytes exceeds methodBytesMax 128");
});

test("names that are none are refused", () => {
  for (const path of [
    "/agents//k/m",
    "/agents/Counter/k/m",
    "/namespaces//agents/a/k/m",
    "/agents/a//m",
    "/agents/a/k/",
    "/agents/a/k/%",
    "/agents/a/%ff/m",
    "/agents/a/%0a/m",
    "/agents/a/\u00e4/m",
    `/agents/a/${"k".repeat(257)}/m`,
    `/agents/a/k/${"m".repeat(129)}`,
  ]) {
    const problem = read(path);
    assert.deepEqual(
      [problem.type, problem.type === "problem" && problem.reason],
      ["problem", "bad_request"],
      path,
    );
  }
});

test("a typed path has a service and a method, the headers say the rest", () => {
  const typed = {
    type: "typed",
    service: "shop.v1.Cart",
    rpc: "Add",
    namespace: "default",
    agent: undefined,
  };
  assert.deepEqual(read("/shop.v1.Cart/Add"), { ...typed, key: undefined });
  const headers = { "x-voda-session": "a%2Fb", "x-voda-namespace": "b", "x-voda-agent": "cart-b" };
  assert.deepEqual(read("/shop.v1.Cart/Add", headers), {
    ...typed,
    namespace: "b",
    agent: "cart-b",
    key: "a/b",
  });
  for (const path of ["/", "/a", "/a/b/c", "/a/%62", "//b", "*"])
    assert.equal(read(path).type, "problem", path);
  for (const wrong of [{ "x-voda-session": "a%0Ab" }, { "x-voda-namespace": "B" }, { "x-voda-agent": "" }])
    assert.equal(read("/shop.v1.Cart/Add", wrong).type, "problem", JSON.stringify(wrong));
});
