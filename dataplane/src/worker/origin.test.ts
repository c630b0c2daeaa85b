import assert from "node:assert/strict";
import { test } from "node:test";
import { type CallId, draftCall, type SessionCall, tokenOf } from "../call/index.ts";
import { originOf } from "./origin.ts";

const name = { namespace: "default", agent: "worker", key: "t" };

function callOf(id: CallId | undefined): SessionCall {
  const call = draftCall({ name, token: tokenOf(name), deadlineMs: 0 }, new Uint8Array(0), 7);
  return { ...call, method: "hear", head: { ...call.head, id }, chain: ["boss/b"] };
}

test("what a message's handler logs names its sender, what an ask's logs does not", () => {
  const source = new Uint8Array(16);
  const origin = { agent: "worker", key: "t", method: "hear", call: 7 };
  const letter = callOf({ type: "sent", source, n: 1, rawHash: source });
  assert.deepEqual(originOf("worker", "t", letter), { ...origin, sender: "boss/b" });
  assert.deepEqual(originOf("worker", "t", callOf(undefined)), origin);
});
