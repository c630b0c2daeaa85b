import assert from "node:assert/strict";
import { test } from "node:test";
import { Abort, Context, type TurnHost } from "./context.ts";
import { threadWorld } from "./world.ts";

const ignore = (): void => undefined;
const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const host: TurnHost<string> = {
  log: () => log,
  named: () => ignore,
  ask: async (...asked) => asked,
  send: ignore,
  run: async (...run) => run,
  draws: () => threadWorld,
  nowMs: () => 0,
  gather: () => threadWorld.gather,
  workflows: () => assert.fail("there are none"),
};
const contextOf = (abort: Abort, chain: readonly string[] = []): Context<string> =>
  new Context({ key: "k", state: {}, caller: "anonymous", chain, abort, host, turn: "t" });

test("a signal tells an abort that came before it was asked for, and one that comes after", () => {
  const abort = new Abort();
  const [early, late] = [new Error("early"), new Error("late")];
  const { signal } = contextOf(abort);
  assert.equal(signal.aborted, false);
  abort.abort(early);
  abort.abort(late);
  assert.equal(signal.reason, early);
  const before = new Abort();
  before.abort(early);
  before.abort(late);
  assert.equal(contextOf(before).signal.reason, early);
});

test("who asks is the last session of the chain, and nobody where a client calls", () => {
  const { caller } = contextOf(new Abort(), ["a/k", "b/with/slashes"]);
  assert.deepEqual(caller, { subject: "anonymous", agent: { name: "b", key: "with/slashes" } });
  assert.deepEqual(contextOf(new Abort()).caller, { subject: "anonymous" });
});

test("the functions work when they are taken out of the context", () => {
  const { now, random, uuid, ask, run } = contextOf(new Abort());
  assert.deepEqual([typeof ask, typeof run], ["function", "function"]);
  assert.ok(now() > 0 && random() < 1 && uuid().length === 36);
});
