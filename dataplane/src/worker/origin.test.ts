import assert from "node:assert/strict";
import { test } from "node:test";
import type { CallId, SessionCall } from "../call/index.ts";
import { originOf } from "./origin.ts";

const callOf = (id: CallId | undefined): SessionCall => ({
  head: {
    number: 7,
    type: "invoke",
    readonly: false,
    deadlineMs: 0,
    id,
    hops: 0,
    mayHaveBegun: false,
    onBusy: "queue",
    bytes: 0,
  },
  method: "hear",
  content: "json",
  body: new Uint8Array(0),
  caller: "anonymous",
  traceparent: undefined,
  requestId: undefined,
  chain: ["boss/b"],
});

test("what a message's handler logs names its sender, what an ask's logs does not", () => {
  const source = new Uint8Array(16);
  const origin = { agent: "worker", key: "t", method: "hear", call: 7 };
  const letter = callOf({ type: "sent", source, n: 1, rawHash: source });
  assert.deepEqual(originOf("worker", "t", letter), { ...origin, sender: "boss/b" });
  assert.deepEqual(originOf("worker", "t", callOf(undefined)), origin);
});
