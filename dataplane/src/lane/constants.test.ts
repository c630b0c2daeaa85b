import assert from "node:assert/strict";
import { test } from "node:test";
import { storeErrorMsMax } from "@voda/net";
import { wellMs } from "../threads/backoff.ts";
import { threadPauseMs, trimDelayMs } from "./constants.ts";

test("the next thread runs long enough before it is given a letter that ended one", () => {
  assert.ok(threadPauseMs > wellMs);
});

test("a fold is older than two syncs of the store before what it covers goes, however wrong both readings are", () => {
  // of nats-server, unless somebody sets it
  const syncIntervalMs = 120_000;
  assert.ok(trimDelayMs > 2 * syncIntervalMs + 2 * storeErrorMsMax);
});
