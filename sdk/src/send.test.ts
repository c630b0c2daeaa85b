import assert from "node:assert/strict";
import { test } from "node:test";
import { agent, VodaError } from "./index.ts";
import { type SendRequest, sendFunction } from "./send.ts";

const unheard = () => () => undefined;

const counter = agent("counter").handlers({ add: (_ctx, by: number) => by, reset: () => null });

function sending() {
  const taken: SendRequest[] = [];
  return {
    taken,
    send: sendFunction((one) => taken.push(one), { uuid: () => "an id", nowMs: () => 0 }, unheard),
  };
}

test("a message says whom and what, and gives nothing back", () => {
  const { taken, send } = sending();
  assert.equal(send(counter, "a/b").add(3), undefined);
  send(counter, "k").reset();
  assert.deepEqual(taken, [
    { way: 'ctx.send(counter, "a/b").add', agent: "counter", key: "a/b", method: "add", body: "3" },
    { way: 'ctx.send(counter, "k").reset', agent: "counter", key: "k", method: "reset", body: undefined },
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

test("a refusal names the message, as it is written", () => {
  const { taken, send } = sending();
  const untyped = (value: unknown): never => value as never;
  const refused: readonly (readonly [() => unknown, RegExp])[] = [
    [() => send(counter, ""), /^ctx\.send\(counter, ""\): the key is empty/],
    [() => send(counter, untyped(5)), /^ctx\.send\(counter, number\): the key is of type number; /],
    [
      () => send(counter, "a").add(untyped(new Date(0))),
      /^ctx\.send\(counter, "a"\)\.add: the input is Date/,
    ],
    [
      () => send(counter, "a", untyped({ delai: "1s" })),
      /^ctx\.send\(counter, "a"\): send option "delai" is unknown \(did you mean delay\?\)/,
    ],
    [() => send(counter, "a", untyped({})), /^ctx\.send\(counter, "a"\): the options are delay and at/],
  ];
  for (const [act, message] of refused) assert.throws(act, { message });
  assert.deepEqual(taken, []);
});
