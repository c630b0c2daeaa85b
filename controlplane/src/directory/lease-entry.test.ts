import assert from "node:assert/strict";
import { test } from "node:test";
import { readLeaseEntry } from "./lease-entry.ts";

const entry = (operation: "PUT" | "DEL" | "PURGE", value: object = {}) => ({
  key: "n1.i1",
  operation,
  string: () => JSON.stringify(value),
});
const capacity = { cpuMilli: 1000, memoryMib: 512, diskMib: 4096 };
const lease = { node: "n1", incarnation: "i1", ingress: "127.0.0.1:9001", zone: "eu-1", capacity };

test("a lease tells the node and what it has", () => {
  const { event, node } = readLeaseEntry(entry("PUT", { ...lease, succeeds: "i0" }), 5);
  assert.deepEqual(event, { type: "lease", node: "n1", incarnation: "i1", succeeds: "i0", nowMs: 5 });
  const place = { ingress: "127.0.0.1:9001", zone: "eu-1" };
  assert.deepEqual(node, { id: "n1", incarnation: "i1", ...place, ...capacity, gpus: [] });
});

test("the server's marker is an expiry; an obituary and a deletion are somebody's word", () => {
  assert.equal(readLeaseEntry(entry("PURGE"), 0).event.type, "expired");
  assert.equal(readLeaseEntry(entry("DEL"), 0).event.type, "obituary");
  assert.equal(readLeaseEntry(entry("PUT", { dead: true }), 0).event.type, "obituary");
});

test("a value that is no lease of its key is refused", () => {
  assert.throws(
    () => readLeaseEntry(entry("PUT", { ...lease, incarnation: "i2" }), 0),
    /says node n1, incarnation i2/,
  );
  assert.throws(
    () => readLeaseEntry(entry("PUT", { ...lease, ingress: "evil.example:80" }), 0),
    /not ip:port/,
  );
  assert.throws(
    () => readLeaseEntry(entry("PUT", { node: "n1", incarnation: "i1" }), 0),
    /names no capacity/,
  );
  const absurd = { ...capacity, diskMib: 2 ** 31 };
  assert.throws(
    () => readLeaseEntry(entry("PUT", { ...lease, capacity: absurd }), 0),
    /diskMib 2147483648 exceeds amountMax/,
  );
});
