import assert from "node:assert/strict";
import { test } from "node:test";
import { type GrantClaims, grantProblem, parseGrantClaims } from "./grant.ts";
import { sessionToken } from "./session.ts";

const name = { namespace: "default", agent: "counter", key: "a/ü" };
const session = sessionToken(name);
const good: GrantClaims = {
  ...name,
  session,
  agentRevision: "00",
  node: "n1",
  incarnation: "i1",
  devices: [],
  iat: 1000,
  exp: 1010,
  nonce: "x",
};
const use = { session, node: "n1", incarnation: "i1", nowMs: 1_005_000 };
const message = (claims: Partial<GrantClaims>, more: Partial<typeof use> = {}): string => {
  const problem = grantProblem({ ...good, ...claims }, { ...use, ...more });
  return problem?.type === "refused" ? problem.message : (problem?.type ?? "heeded");
};

test("a grant for this session, node and incarnation is heeded until it expires", () => {
  assert.equal(message({}), "heeded");
  assert.equal(message({}, { nowMs: 1_009_999 }), "heeded");
  assert.equal(message({}, { nowMs: 1_010_000 }), "void");
});

test("a grant for another node or incarnation counts as none", () => {
  assert.equal(message({}, { node: "n2" }), "void");
  assert.equal(message({}, { incarnation: "i2" }), "void");
});

test("a grant for another session is refused", () => {
  const other = sessionToken({ ...name, key: "b" });
  assert.match(message({}, { session: other }), /it is for session/);
  assert.match(message({ key: "b" }), /not that of its name/);
});

test("a grant that lives longer than 10 s is refused", () => {
  assert.match(message({ exp: 1011 }), /life of 11 s exceeds grantSecondsMax 10/);
});

test("a grant from the future counts as none: two clocks differ, and the caller did nothing wrong", () => {
  assert.deepEqual(grantProblem({ ...good, iat: 1007, exp: 1012 }, use), { type: "void" });
  assert.equal(grantProblem({ ...good, iat: 1006, exp: 1012 }, use), undefined);
});

test("a payload that is no grant says what it lacks", () => {
  assert.deepEqual(parseGrantClaims(good), good);
  const half = { uuid: "GPU-1", whole: false, milli: 500, memoryMib: 1000 };
  assert.deepEqual(parseGrantClaims({ ...good, devices: [half] }), { ...good, devices: [half] });
  assert.equal(parseGrantClaims(null), "the grant is not an object");
  assert.equal(parseGrantClaims({ ...good, node: 1 }), "the grant has no text node");
  assert.equal(parseGrantClaims({ ...good, exp: "1010" }), "the grant has no whole seconds in iat and exp");
  for (const device of [
    1,
    null,
    {},
    { ...half, milli: -1 },
    { ...half, whole: 1 },
    { ...half, memoryMib: "1" },
  ])
    assert.equal(parseGrantClaims({ ...good, devices: [device] }), "the grant has no list of devices");
  const unnamed = parseGrantClaims({ ...good, agent: "No" });
  assert.match(typeof unnamed === "string" ? unnamed : "", /names no session/);
});
