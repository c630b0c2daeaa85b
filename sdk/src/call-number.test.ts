import assert from "node:assert/strict";
import { test } from "node:test";
import { callNumbersMax } from "@voda/proto/wire";
import { type CallId, callNumbers, idleSessionsMax } from "./call-number.ts";

const never = new AbortController().signal;

async function taken(promise: Promise<CallId | undefined>): Promise<CallId> {
  const id = await promise;
  assert.ok(id !== undefined, "no number");
  return id;
}
function parts(id: CallId): { client: string; seq: number; lowest: number } {
  const [name, value] = id.header();
  assert.equal(name, "x-voda-call");
  assert.match(value, /^[0-9a-f]{32}\.\d+\.\d+$/);
  const [client = "", seq, lowest] = value.split(".");
  return { client, seq: Number(seq), lowest: Number(lowest) };
}

test("calls of a session are numbered from 1, and say which is the lowest without an answer", async () => {
  const numbers = callNumbers();
  const [a, b, c] = [
    await taken(numbers.take("s", never)),
    await taken(numbers.take("s", never)),
    await taken(numbers.take("s", never)),
  ];
  assert.deepEqual(
    [a, b, c].map((id) => [parts(id).seq, parts(id).lowest]),
    [
      [1, 1],
      [2, 1],
      [3, 1],
    ],
  );
  b.done();
  assert.equal(parts(c).lowest, 1, "the first has no answer yet");
  a.done();
  a.done();
  assert.equal(parts(c).lowest, 3, "an attempt says what holds when it is sent");
  c.done();
  assert.deepEqual(parts(await taken(numbers.take("s", never))), {
    client: parts(a).client,
    seq: 4,
    lowest: 4,
  });
});

test("every session, and every client, has an id of its own", async () => {
  const numbers = callNumbers();
  const ids = [numbers.take("s", never), numbers.take("t", never), callNumbers().take("s", never)];
  const clients = new Set((await Promise.all(ids.map(taken))).map((id) => parts(id).client));
  assert.equal(clients.size, 3);
});

test("1,024 numbers may be under way: the next call waits its turn, or until its signal fires", async () => {
  const numbers = callNumbers();
  const open: CallId[] = [];
  for (let i = 0; i < callNumbersMax; i += 1) open.push(await taken(numbers.take("s", never)));
  const order: string[] = [];
  const wait = (name: string, signal: AbortSignal): Promise<CallId | undefined> =>
    numbers.take("s", signal).then((id) => {
      order.push(id === undefined ? `${name} gave up` : `${name} ${parts(id).seq - parts(id).lowest}`);
      return id;
    });
  const controller = new AbortController();
  const waiting = [wait("first", never), wait("second", controller.signal), wait("third", never)];
  open[1]?.done();
  await new Promise(setImmediate);
  assert.deepEqual(order, [], "the lowest has not risen");
  controller.abort();
  await waiting[1];
  open[0]?.done();
  await Promise.all(waiting);
  assert.deepEqual(order, ["second gave up", "first 1022", "third 1023"]);
  assert.equal(await numbers.take("s", AbortSignal.abort()), undefined);
});

test("a forgotten session starts anew under another id; one with a call under way is kept", async () => {
  const numbers = callNumbers();
  const first = await taken(numbers.take("s", never));
  const held = await taken(numbers.take("held", never));
  first.done();
  for (let i = 0; i < idleSessionsMax; i += 1) (await taken(numbers.take(`other-${i}`, never))).done();
  const again = parts(await taken(numbers.take("s", never)));
  assert.equal(again.seq, 1);
  assert.notEqual(again.client, parts(first).client);
  assert.deepEqual(parts(await taken(numbers.take("held", never))), { ...parts(held), seq: 2 });
});
