import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toJson } from "@bufbuild/protobuf";
import { WaitsSchema } from "@voda/proto/api";
import { type Command, CommandKind, CommandSchema } from "@voda/proto/node";
import { type Answer, fail } from "../call/index.ts";
import { type CommandedSessions, carryOut } from "./commands.ts";

const nowMs = 1_000;

const idle: CommandedSessions = {
  hasRested: () => true,
  sleep: () => assert.fail("nothing was put to sleep"),
  order: () => assert.fail("no order was given"),
  redeliver: () => assert.fail("no message was given"),
  describe: () => assert.fail("nothing was described"),
  epochOf: () => 7,
};

function carry(kind: CommandKind, withinMs: number, acts: Partial<CommandedSessions>) {
  const sessions: CommandedSessions = { ...idle, ...acts };
  const command: Command = create(CommandSchema, {
    kind,
    namespace: "default",
    agent: "counter",
    key: "k",
    deadlineMs: BigInt(nowMs + withinMs),
  });
  return carryOut({ sessions, monotonicMs: () => nowMs, storeMs: () => nowMs }, command);
}

test("an order to sleep is answered when the session sleeps", async () => {
  const { code } = await carry(CommandKind.SLEEP, 60_000, { sleep: async () => undefined });
  assert.equal(code, "");
});

test("an order to sleep is answered at its deadline, though something holds the session up", async () => {
  const { code, reason, message } = await carry(CommandKind.SLEEP, 20, {
    sleep: () => new Promise(() => undefined),
  });
  assert.deepEqual([code, reason], ["deadline_exceeded", "turn_timeout"]);
  assert.match(message, /counter\/k was not asleep within 20 ms: .* it falls asleep when that ends/);
});

const waits = {
  letters: 2,
  oldest: { agent: "stock", key: "tea", atMs: 400 },
  alone: 1,
  timers: 0,
  nextTimerMs: undefined,
  nextWorkflowMs: 5_000,
};
const saying = (text: string): Answer => ({
  ok: true,
  content: "json",
  body: new TextEncoder().encode(text),
});

async function described(workflows: Answer): Promise<object> {
  let askedUntilMs = 0;
  const result = await carry(CommandKind.DESCRIBE, 1_000, {
    async describe(_name, deadlineMs) {
      askedUntilMs = deadlineMs;
      return { ...waits, workflows };
    },
  });
  assert.deepEqual([result.code, result.epoch, askedUntilMs], ["", 7n, nowMs + 750]);
  assert.ok(result.waits);
  return toJson(WaitsSchema, result.waits) as object;
}

test("what a session waits for is told, with what its thread says of workflows", async () => {
  const listed = { waiting: 1, live: [{ id: "w", workflow: "buy", phase: "waiting", waitsFor: ["paid"] }] };
  assert.deepEqual(await described(saying(JSON.stringify({ running: 0, undoing: 3, ...listed }))), {
    nowMs: "1000",
    letters: 2,
    oldestLetterMs: "400",
    oldestLetterTarget: { namespace: "default", agent: "stock", key: "tea" },
    alone: 1,
    nextWorkflowMs: "5000",
    workflows: listed,
  });
});

test("a thread that says nothing of its workflows, or nonsense, leaves the rest to be told", async () => {
  for (const [answer, problem] of [
    [fail("turn_timeout", "the deadline passed"), /^the deadline passed$/],
    [saying('{"running":"many"}'), /cannot decode field voda.api.v1.SessionWorkflows.running/],
    [saying(`"${"x".repeat(300_000)}"`), /^its thread told 300002 bytes of them, more than 262144$/],
  ] as const) {
    const told = (await described(answer)) as { workflowsProblem: string; letters: number };
    assert.match(told.workflowsProblem, problem);
    assert.equal(told.letters, 2);
  }
});

test("a session that is not in memory is not woken to be described", async () => {
  const { code, waits: none } = await carry(CommandKind.DESCRIBE, 1_000, { describe: async () => undefined });
  assert.deepEqual([code, none], ["", undefined]);
});
