import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/transport-node";
import { type Nats, startNats, waitUntil } from "@voda/test/kit";
import { watchBucket } from "./watch-bucket.ts";

let nats: Nats;
let connection: NatsConnection;
let bucket: KV;
let count = 0;
before(async () => {
  nats = await startNats();
  connection = await nats.connect();
});
after(() => nats.stop());
beforeEach(async () => {
  count += 1;
  bucket = await new Kvm(connection).create(`bucket_${count}`);
});

/** What the room is through with, as `key=value`, or `key deleted`. */
async function follow(
  work: () => Promise<void> = () => Promise.resolve(),
): Promise<AsyncDisposable & { seen: string[] }> {
  const seen: string[] = [];
  const watch = await watchBucket(bucket, async (entry) => {
    await work();
    seen.push(entry.operation === "PUT" ? `${entry.key}=${entry.string()}` : `${entry.key} deleted`);
  });
  return { seen, [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose]() };
}

test("an empty bucket is caught up at once, and what comes later is handed out", async () => {
  await using watch = await follow();
  assert.deepEqual(watch.seen, []);
  await bucket.put("a", "1");
  await bucket.delete("a");
  await waitUntil(() => watch.seen.length === 2, "both changes come");
  assert.deepEqual(watch.seen, ["a=1", "a deleted"]);
});

test("it resolves when the room is through with all that was there, each in its last value", async () => {
  await bucket.put("a", "1");
  await bucket.put("b", "2");
  await bucket.put("a", "3");
  await bucket.delete("b");
  await using watch = await follow(() => new Promise((next) => setImmediate(next)));
  assert.deepEqual(watch.seen, ["a=3", "b deleted"]);
});

test("a bucket whose last message is gone is caught up with what is left", async () => {
  await bucket.put("a", "1");
  await bucket.put("b", "2");
  const { streamInfo } = await bucket.status();
  const { streams } = await jetstreamManager(connection);
  await streams.deleteMessage(streamInfo.config.name, streamInfo.state.last_seq);
  await using watch = await follow();
  assert.deepEqual(watch.seen, ["a=1"]);
});

test("a bucket whose messages are all gone is caught up at once", async () => {
  await bucket.put("a", "1");
  const { streamInfo } = await bucket.status();
  const { streams } = await jetstreamManager(connection);
  await streams.deleteMessage(streamInfo.config.name, streamInfo.state.last_seq);
  await using watch = await follow();
  assert.deepEqual(watch.seen, []);
});
