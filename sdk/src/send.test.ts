import assert from "node:assert/strict";
import { test } from "node:test";
import { agent, VodaError } from "./index.ts";
import { type SendRequest, sendFunction } from "./send.ts";

const counter = agent("counter").handlers({ add: (_ctx, by: number) => by, reset: () => null });

function sending() {
  const taken: SendRequest[] = [];
  return {
    taken,
    send: sendFunction(
      (one) => taken.push(one),
      () => "an id",
    ),
  };
}

test("a message says whom and what, and gives nothing back", () => {
  const { taken, send } = sending();
  assert.equal(send(counter, "a/b").add(3), undefined);
  send(counter, "k").reset();
  assert.deepEqual(taken, [
    { agent: "counter", key: "a/b", method: "add", body: "3" },
    { agent: "counter", key: "k", method: "reset", body: undefined },
  ]);
});

test("what is no agent, no key or no JSON is refused at once, and nothing is sent", () => {
  const { taken, send } = sending();
  const untyped = (value: unknown): never => value as never;
  const isRefused = (error: unknown): boolean =>
    VodaError.is(error, "invalid_argument") && error.reason === "bad_request";
  for (const key of ["", "k".repeat(257), untyped(1)]) assert.throws(() => send(counter, key), isRefused);
  for (const name of ["counter", undefined, { name: "Not A Name" }])
    assert.throws(() => send(untyped(name), "k"), /ctx\.send takes an agent first/);
  assert.throws(() => send(counter, "k").add(untyped(1n)), isRefused);
  assert.deepEqual(taken, []);
});
