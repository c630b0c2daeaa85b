import assert from "node:assert/strict";
import { test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { ensureStreams } from "@voda/proto/streams";
import { startNats, waitUntil } from "@voda/test/kit";
import { pino } from "pino";
import { followStoreTime } from "./store-time.ts";

/** Clocks are read in whole milliseconds, here and at the store. */
const wholeMs = 3;
/** Two readings a second apart, on a busy machine. */
const soonMs = 5_000;

test("the store's time is followed when a machine was suspended, and when the store's clock was set back", async () => {
  await using nats = await startNats();
  const connection = await nats.connect();
  await ensureStreams(async (subject, body) => (await connection.request(subject, body)).string(), 1);
  const jsm = await jetstreamManager(connection);
  // The store goes by this machine's clock; that it is ahead or behind is the same as that this one is.
  let lostMs = 0;
  const clock = { monotonicMs: () => performance.now() - lostMs };
  const startedMs = performance.now();
  using time = await followStoreTime({ jsm, clock, log: pino({ level: "silent" }) });
  const tookMs = performance.now() - startedMs;
  const wrongMs = (): number => Math.abs(time.storeMs() - Date.now());
  assert.ok(wrongMs() < tookMs + wholeMs, `${wrongMs()} ms, read within ${tookMs}`);
  for (const ms of [3_600_000, -660_000]) {
    lostMs += ms;
    assert.ok(wrongMs() > 600_000);
    await waitUntil(() => wrongMs() <= 250, "the store's time is known again", soonMs);
  }
});
