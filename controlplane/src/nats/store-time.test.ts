import assert from "node:assert/strict";
import { test } from "node:test";
import type { StreamInfo } from "@nats-io/jetstream";
import { pino } from "pino";
import { followStoreTime } from "./store-time.ts";

/** Of the server's answer nothing else is looked at. */
const info = (): StreamInfo => ({ ts: "2026-01-01T00:00:00Z" }) as StreamInfo;

test("a store that is silent as long as a server takes to be back is no news; one that stays so is, once", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let nowMs = 0;
  let isAway = false;
  const lines: string[] = [];
  const log = pino({ level: "warn" }, { write: (line) => void lines.push(line) });
  const streams = {
    info: () => (isAway ? Promise.reject(new Error("no responders")) : Promise.resolve(info())),
  };
  using _ = await followStoreTime({ jsm: { streams }, clock: { monotonicMs: () => nowMs }, log });
  const pass = async (seconds: number): Promise<number> => {
    for (let second = 0; second < seconds; second += 1) {
      nowMs += 1_000;
      t.mock.timers.tick(1_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return lines.filter((line) => line.includes("does not tell its time")).length;
  };
  isAway = true;
  assert.equal(await pass(9), 0);
  isAway = false;
  await pass(2);
  isAway = true;
  assert.equal(await pass(9), 0);
  assert.equal(await pass(60), 1);
  assert.match(lines.join(), /"silentMs":1\d{4}/);
});
