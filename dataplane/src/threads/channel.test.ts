import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageChannel } from "node:worker_threads";
import { createRing } from "../ring/index.ts";
import { type Channel, openChannel } from "./channel.ts";
import { type ToWorker, toWorker } from "./to-worker.ts";

/** Both ends in this thread; rings of so many bytes. */
function pair(
  ringBytes: number,
  onMessage: (message: ToWorker) => void,
): { from: Channel<ToWorker>; close: () => void } {
  const [there, back] = [createRing(ringBytes), createRing(ringBytes)];
  const { port1, port2 } = new MessageChannel();
  const codec = { encode: toWorker.encode, decode: toWorker.decode };
  const from = openChannel(
    { input: back, output: there, port: port1 },
    { ...codec, onMessage: () => assert.fail("an echo") },
  );
  const to = openChannel<ToWorker, ToWorker>(
    { input: there, output: back, port: port2 },
    { ...codec, onMessage },
  );
  const close = (): void => {
    from[Symbol.dispose]();
    to[Symbol.dispose]();
  };
  return { from, close };
}

test("messages beyond the ring's room wait and come in order, small behind large", async () => {
  const got: [number, number][] = [];
  const done = Promise.withResolvers<void>();
  const sizes = Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? 1600 : i % 3));
  const { from, close } = pair(4096, (message) => {
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
