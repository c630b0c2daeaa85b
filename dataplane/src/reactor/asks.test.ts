import assert from "node:assert/strict";
import { test } from "node:test";
import { plainCall } from "../../test/call.ts";
import { messagesOf, reactorRig } from "../../test/reactor-rig.ts";
import { type Answer, encodeAnswer } from "../call/index.ts";

const answer = encodeAnswer({ ok: true, content: "json", body: Uint8Array.of(50) });

/** The first call's handler runs; `ask` has it ask `method` of another session of the agent. */
function asking() {
  const at = reactorRig();
  at.submit();
  at.settle();
  const [call] = at.ran;
  const { activation } = at;
  const ask = (
    key: string,
    method: string,
    more: { readonly chain?: readonly string[]; readonly readonly?: boolean } = {},
  ): void => {
    const { readonly = false, chain = ["counter/k"] } = more;
    const name = { namespace: "default", agent: "counter", key };
    const request = plainCall(0, at.timers.nowMs() + 400, { name, method, chain, head: { readonly } });
    at.hear({ type: "ask", activation, by: call?.head.number ?? 0, askId: 9, request });
  };
  return { at, ask };
}

const told = (replies: readonly [number, number, Answer][]) =>
  replies.map(([, ask, given]) => [ask, given.ok ? "ok" : given.failure.reason]);

test("an ask runs at its session under a number and an id of its own, and its answer goes to who asked", () => {
  const { at, ask } = asking();
  ask("other", "add");
  at.settle();
  const [, asked] = at.ran;
  assert.deepEqual([asked?.name.key, asked?.chain, asked?.head.id?.type], ["other", ["counter/k"], "key"]);
  assert.notEqual(asked?.head.number, 0);
  const { number: call = 0 } = asked?.head ?? {};
  const { activation } = at;
  const turned = { type: "turned", activation, call, turn: 1, delta: Uint8Array.of(1) } as const;
  at.hear({ ...turned, answer, canonicalHash: undefined, sends: [] });
  at.settle();
  assert.deepEqual(told(at.replies), [[9, "ok"]]);
  assert.deepEqual(at.answers, []);
});

test("an ask ends by its deadline, though its session does not answer", () => {
  const { at, ask } = asking();
  ask("other", "add");
  at.timers.pass(400);
  assert.deepEqual(told(at.replies), [[9, "turn_timeout"]]);
});

test("a chain that comes back to a session that waits is refused with its path; a reader begins beside it", () => {
  const { at, ask } = asking();
  ask("k", "add", { chain: ["counter/k", "counter/b"] });
  const [, , refusal] = at.replies[0] ?? [];
  assert.ok(refusal !== undefined && !refusal.ok);
  assert.equal(refusal.failure.reason, "deadlock");
  assert.match(refusal.failure.message, /: counter\/k -> counter\/b -> counter\/k$/);
  assert.equal(refusal.failure.retryAfterMs, undefined, "no call changes that");
  ask("k", "get", { chain: ["counter/k", "counter/b"] });
  at.settle();
  assert.deepEqual(
    at.ran.map(({ method }) => method),
    ["add", "get"],
  );
});

test("turns that ask crosswise are found, with the way, and told to the one that asks last", () => {
  const { at, ask } = asking();
  ask("other", "add");
  at.submit({ name: { namespace: "default", agent: "counter", key: "other" } });
  at.settle();
  const [, asked, running] = at.ran;
  assert.deepEqual([asked?.name.key, running?.name.key], ["other", "other"]);
  const crosswise = (method: string, by = running): void => {
    const name = { namespace: "default", agent: "counter", key: "k" };
    const more = { name, method, chain: ["counter/other"] };
    const request = plainCall(0, at.timers.nowMs() + 400, more);
    const { activation } = at;
    at.hear({ type: "ask", activation, by: by?.head.number ?? 0, askId: 11, request });
  };
  crosswise("get");
  crosswise("now");
  at.settle();
  assert.deepEqual(told(at.replies), [[11, "busy"]], "neither waits for a turn");
  crosswise("add");
  const [, , refusal] = at.replies[1] ?? [];
  assert.ok(refusal !== undefined && !refusal.ok);
  assert.equal(refusal.failure.reason, "deadlock");
  assert.match(refusal.failure.message, /: counter\/other -> counter\/k -> counter\/other; ask in one order/);
  assert.equal(refusal.failure.retryAfterMs, 100, "the other turn may end without its answer");
});

test("a session whose turn has ended waits for nobody, whatever it had asked", () => {
  const { at, ask } = asking();
  ask("other", "add");
  at.settle();
  at.submit({ name: { namespace: "default", agent: "counter", key: "other" } });
  const [first, , running] = at.ran;
  const { activation = 0 } = at.opened.find(({ name }) => name.key === "k") ?? {};
  const call = first?.head.number ?? 0;
  at.hear({ type: "failed", activation, call, after: 0, answer });
  const name = { namespace: "default", agent: "counter", key: "k" };
  const request = plainCall(0, at.timers.nowMs() + 400, { name, chain: ["counter/other"] });
  at.hear({ type: "ask", activation: at.activation, by: running?.head.number ?? 0, askId: 12, request });
  assert.ok(!told(at.replies).some(([, reason]) => reason === "deadlock"));
});

test("a call that is late says for whom its session waits", () => {
  const { at, ask } = asking();
  ask("other", "add");
  at.settle();
  at.submit({}, 100);
  const { activation = 0 } = at.opened.find(({ name }) => name.key === "k") ?? {};
  const late = at.ran.at(-1)?.head.number ?? 0;
  at.timers.pass(100);
  at.hear({ type: "dropped", activation, call: late, why: "deadline", hasBegun: false });
  assert.match(
    messagesOf(at.answers)[0] ?? "",
    /did not begin.*; sessions wait: counter\/k -> counter\/other$/,
  );
});

test("who asks for a method that is none learns the names that a client may know, and no more", () => {
  const { at, ask } = asking();
  ask("z", `s${"x".repeat(70_000)}`);
  const [, , refusal] = at.replies[0] ?? [];
  assert.ok(refusal !== undefined && !refusal.ok);
  assert.match(
    refusal.failure.message,
    /^agent counter has no method sx{127}\.\.\.; it has: add, now, slow, get, and internal ones \(npx voda agents ls counter names them\)$/,
  );
});

test("an ask of a handler that waits for no turn is refused while one runs", () => {
  const { at, ask } = asking();
  ask("other", "now");
  at.settle();
  assert.deepEqual(
    at.ran.map(({ head }) => head.onBusy),
    ["queue", "reject"],
  );
  ask("other", "now");
  at.settle();
  assert.deepEqual(told(at.replies), [[9, "busy"]]);
});

test("asks are refused that write from a reader, or name no method", () => {
  const { at, ask } = asking();
  ask("z", "add", { readonly: true });
  ask("z", "subtract");
  assert.deepEqual(told(at.replies), [
    [9, "bad_request"],
    [9, "method_not_found"],
  ]);
  at.settle();
  assert.equal(at.ran.length, 1);
});
