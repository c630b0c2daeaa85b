import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as loopTick } from "node:timers/promises";
import { FrameError } from "../frame/index.ts";
import { createRing } from "../ring/index.ts";
import { openChannel, type ThreadChannel } from "./channel.ts";
import { type ToWorker, toWorker } from "./to-worker.ts";

/** Both ends in this thread; rings of so many bytes. */
function pair(
  ringBytes: number,
  onMessage: (message: ToWorker) => void,
): { from: ThreadChannel<ToWorker>; behind: readonly boolean[]; close: () => void } {
  const behind: boolean[] = [];
  const [there, back] = [createRing(ringBytes), createRing(ringBytes)];
  const { port1, port2 } = new MessageChannel();
  const codec = { encode: toWorker.encode, decode: toWorker.decode };
  const from = openChannel(
    { input: back, output: there, port: port1 },
    {
      ...codec,
      onMessage: () => assert.fail("an echo"),
      onBroken: assert.fail,
      onBehind: (isBehind) => void behind.push(isBehind),
    },
  );
  const to = openChannel<ToWorker, ToWorker>(
    { input: there, output: back, port: port2 },
    { ...codec, onMessage, onBroken: assert.fail },
  );
  const close = (): void => {
    from[Symbol.dispose]();
    to[Symbol.dispose]();
  };
  return { from, behind, close };
}

test("messages beyond the ring's room wait and come in order, small behind large", async () => {
  const got: [number, number][] = [];
  const done = Promise.withResolvers<void>();
  const sizes = Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? 1600 : i % 3));
  const { from, behind, close } = pair(4096, (message) => {
    assert.ok(message.type === "page");
    got.push([message.activation, message.bytes.length]);
    if (got.length === sizes.length) done.resolve();
  });
  for (const [i, size] of sizes.entries())
    from.send({ type: "page", activation: i, bytes: new Uint8Array(size) });
  await done.promise;
  assert.deepEqual(
    got,
    sizes.map((size, i) => [i, size]),
  );
  assert.deepEqual(behind, [true, false], "told once that messages wait, once that none does");
  close();
});

test("a single message that waits is told of when it waits and when it does not any more", async () => {
  const third = Promise.withResolvers<void>();
  const { from, behind, close } = pair(4096, ({ activation }) => activation === 3 && third.resolve());
  for (const activation of [1, 2, 3]) from.send({ type: "page", activation, bytes: new Uint8Array(1600) });
  assert.deepEqual(behind, [true]);
  await third.promise;
  assert.deepEqual(behind, [true, false]);
  close();
});

test("what is sent after the end is dropped and harms nobody", () => {
  const { from, close } = pair(4096, () => assert.fail("nothing arrives"));
  from.send({ type: "cut", activation: 1 });
  close();
  for (let i = 0; i < 100; i += 1) from.send({ type: "page", activation: 1, bytes: new Uint8Array(500) });
});

test("a message that no ring can hold is refused where it is sent", () => {
  const { from, close } = pair(4096, () => undefined);
  assert.throws(
    () => from.send({ type: "page", activation: 1, bytes: new Uint8Array(5000) }),
    /recordBytesMax/,
  );
  close();
});

test("what cannot be read ends the hearing, and is told once", () => {
  const [there, back] = [createRing(4096), createRing(4096)];
  const { port1, port2 } = new MessageChannel();
  const codec = { encode: toWorker.encode, decode: toWorker.decode };
  const from = openChannel<ToWorker, ToWorker>(
    { input: back, output: there, port: port1 },
    { ...codec, onMessage: () => assert.fail("an echo"), onBroken: assert.fail },
  );
  const broken: string[] = [];
  const to = openChannel<ToWorker, ToWorker>(
    { input: there, output: back, port: port2 },
    {
      encode: toWorker.encode,
      decode: () => {
        throw new FrameError("meta entry 0 after 0");
      },
      onMessage: () => assert.fail("it was read"),
      onBroken: ({ message }) => void broken.push(message),
    },
  );
  for (const activation of [1, 2]) from.send({ type: "close", activation });
  to.takeRest();
  to.takeRest();
  assert.deepEqual(broken, ["meta entry 0 after 0"]);
  for (const end of [from, to]) end[Symbol.dispose]();
});

test("who has messages that wait for room hears nothing until they have left", async (t) => {
  const [there, back] = [createRing(4096), createRing(4096)];
  const { port1, port2 } = new MessageChannel();
  const codec = { encode: toWorker.encode, decode: toWorker.decode };
  const heard = Promise.withResolvers<void>();
  let answers = 0;
  let most = 0;
  const asks = openChannel<ToWorker, ToWorker>(
    { input: back, output: there, port: port1 },
    {
      ...codec,
      onMessage: () => ++answers === 60 && heard.resolve(),
      onBroken: assert.fail,
    },
  );
  const answersBack = openChannel<ToWorker, ToWorker>(
    { input: there, output: back, port: port2 },
    {
      ...codec,
      onMessage({ activation }) {
        answersBack.send({ type: "page", activation, bytes: new Uint8Array(1600) });
        most = Math.max(most, answersBack.waitingBytes());
      },
      onBroken: assert.fail,
      onBehind: () => undefined,
    },
  );
  t.after(() => {
    for (const end of [asks, answersBack]) end[Symbol.dispose]();
  });
  for (let activation = 1; activation <= 60; activation += 1) asks.send({ type: "close", activation });
  await heard.promise;
  assert.ok(most > 0 && most < 2 * 1700, `${most} bytes waited at once`);
  assert.equal(answersBack.waitingBytes(), 0);
});

test("who is held for two reasons hears again when both are over", async (t) => {
  const [there, back] = [createRing(4096), createRing(4096)];
  const { port1, port2 } = new MessageChannel();
  const codec = { encode: toWorker.encode, decode: toWorker.decode };
  const heard: number[] = [];
  const host = openChannel<ToWorker, ToWorker>(
    { input: back, output: there, port: port1 },
    { ...codec, onMessage: () => undefined, onBroken: assert.fail },
  );
  let ticks = 0;
  const behind: boolean[] = [];
  const thread = openChannel<ToWorker, ToWorker>(
    { input: there, output: back, port: port2 },
    {
      ...codec,
      onTick: () => (ticks += 1),
      onMessage: ({ activation }) => heard.push(activation),
      onBroken: assert.fail,
      onBehind: (isBehind) => behind.push(isBehind),
    },
  );
  t.after(() => {
    for (const end of [host, thread]) end[Symbol.dispose]();
  });
  thread.hold(true);
  for (let i = 0; i < 5; i += 1) thread.send({ type: "page", activation: 1, bytes: new Uint8Array(1600) });
  host.send({ type: "cut", activation: 7 });
  while (behind.length < 2) await loopTick();
  for (let i = 0; i < 10; i += 1) await loopTick();
  assert.deepEqual([behind, heard, ticks], [[true, false], [], 0]);
  thread.hold(false);
  while (heard.length === 0) await loopTick();
  assert.deepEqual([heard, ticks > 0], [[7], true]);
});
