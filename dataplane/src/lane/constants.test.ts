import assert from "node:assert/strict";
import { test } from "node:test";
import { storeErrorMsMax } from "@voda/net";
import { storeSyncMs, trimDelayMs } from "./constants.ts";

test("a fold is older than two syncs of the store before what it covers goes, however wrong both readings are", () => {
  assert.ok(trimDelayMs > 2 * storeSyncMs + 2 * storeErrorMsMax);
});
