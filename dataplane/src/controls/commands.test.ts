import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type Command, CommandKind, CommandSchema } from "@voda/proto/node";
import { type CommandedSessions, carryOut } from "./commands.ts";

const nowMs = 1_000;

function carry(sleep: () => Promise<void>, withinMs: number) {
  const sessions: CommandedSessions = {
    hasRested: () => true,
    sleep,
    order: () => assert.fail("no order was given"),
    redeliver: () => assert.fail("no message was given"),
    epochOf: () => 0,
  };
  const command: Command = create(CommandSchema, {
    kind: CommandKind.SLEEP,
    namespace: "default",
    agent: "counter",
    key: "k",
    deadlineMs: BigInt(nowMs + withinMs),
  });
  return carryOut({ sessions, monotonicMs: () => nowMs, storeMs: () => nowMs }, command);
}

test("an order to sleep is answered when the session sleeps", async () => {
  const { code } = await carry(async () => undefined, 60_000);
  assert.equal(code, "");
});

test("an order to sleep is answered at its deadline, though something holds the session up", async () => {
  const { code, reason, message } = await carry(() => new Promise(() => undefined), 20);
  assert.deepEqual([code, reason], ["deadline_exceeded", "turn_timeout"]);
  assert.match(message, /counter\/k was not asleep within 20 ms: .* it falls asleep when that ends/);
});
