import assert from "node:assert/strict";
import { test } from "node:test";
import { jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect } from "@nats-io/transport-node";
import { ensureStreams } from "@voda/proto/streams";
import { keysBucket } from "@voda/proto/wire";
import { startNats } from "@voda/test/kit";
import { pino } from "pino";
import { publishKey } from "./publish-key.ts";
import { createSigner } from "./sign.ts";

/** Clocks are read in whole milliseconds, here and at the store. */
const wholeMs = 3;

test("grants are dated by the store's clock, whatever the clock of the control plane says", async () => {
  const nats = await startNats();
  const connection = await connect({ servers: nats.url });
  try {
    await ensureStreams(async (subject, body) => (await connection.request(subject, body)).string(), 1);
    const js = jetstream(connection);
    const keys = await new Kvm(js).open(keysBucket);
    // eleven minutes ahead, and then set back by an hour
    let wallMs = Date.now() + 660_000;
    const clock = { wallMs: () => wallMs, monotonicMs: () => performance.now() };
    const startedMs = performance.now();
    using key = await publishKey({ js, keys, signer: createSigner(), clock, log: pino({ level: "silent" }) });
    const tookMs = performance.now() - startedMs;
    for (const stepMs of [0, -3_600_000]) {
      wallMs += stepMs;
      // the store is on this machine: its clock is this test's, read at some time while the key was published
      const differenceMs = Math.abs(key.storeMs() - Date.now());
      assert.ok(differenceMs < tookMs + wholeMs, `${differenceMs} ms, read within ${tookMs}`);
    }
  } finally {
    await connection.close();
    await nats.stop();
  }
});
