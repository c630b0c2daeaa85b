import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { LeaseSchema } from "@voda/proto/node";
import type { LeaseValue } from "./lease-key.ts";
import { leaseSilenceMs, Roster } from "./roster.ts";

const lease = (node: string, incarnation: string, succeeds = ""): LeaseValue => ({
  type: "lease",
  lease: create(LeaseSchema, { node, incarnation, succeeds, ingress: "127.0.0.1:1" }),
});
const ended: LeaseValue = { type: "ended", isClosed: false };
const closed: LeaseValue = { type: "ended", isClosed: true };

test("what was never heard of is unknown, not ended", () => {
  assert.equal(new Roster().ended("x", 0), "unknown");
});

test("a lease lives until its end is told, and an old entry does not revive it", () => {
  const roster = new Roster();
  assert.equal(roster.apply("x", lease("n1", "x"), 0), true);
  assert.equal(roster.apply("x", lease("n1", "x"), 1), false);
  assert.equal(roster.ended("x", 1), "no");
  assert.equal(roster.apply("x", ended, 2), true);
  roster.apply("x", lease("n1", "x"), 3);
  assert.equal(roster.ended("x", 3), "yes");
  assert.deepEqual(roster.members(3), []);
});

test("a lease of which nothing is heard for long is unknown, never ended", () => {
  const roster = new Roster();
  roster.apply("x", lease("n1", "x"), 0);
  assert.equal(roster.ended("x", leaseSilenceMs - 1), "no");
  assert.equal(roster.ended("x", leaseSilenceMs), "unknown");
  assert.deepEqual(roster.members(leaseSilenceMs), []);
});

test("the successor of an ended incarnation is found over several lapses, while it lives", () => {
  const roster = new Roster();
  roster.apply("a", lease("n1", "a"), 0);
  roster.apply("b", lease("n1", "b", "a"), 0);
  roster.apply("a", ended, 0);
  assert.equal(roster.successor("a", 0)?.incarnation, "b");
  roster.apply("b", ended, 0);
  assert.equal(roster.successor("a", 0)?.incarnation, undefined);
  roster.apply("c", lease("n1", "c", "b"), 0);
  assert.equal(roster.successor("a", 0)?.incarnation, "c");
});

test("a process was closed when its last life says so, whatever markers of the server come after it", () => {
  const roster = new Roster();
  roster.apply("a", lease("n1", "a"), 0);
  roster.apply("a", ended, 0);
  roster.apply("b", lease("n1", "b", "a"), 0);
  assert.equal(roster.wasClosed("a"), false);
  roster.apply("b", closed, 0);
  roster.apply("b", ended, 0);
  assert.deepEqual([roster.wasClosed("a"), roster.wasClosed("b")], [true, true]);
  roster.apply("x", lease("n2", "x"), 0);
  roster.apply("x", ended, 0);
  assert.equal(roster.wasClosed("x"), false);
  roster.apply("x", closed, 0);
  assert.equal(roster.wasClosed("x"), true, "an end that was proved before its obituary was read");
});
