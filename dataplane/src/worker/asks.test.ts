import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock } from "@voda/stdx";
import { activationRig, until } from "../../test/activation-rig.ts";
import { type Answer, chainMax } from "../call/index.ts";

const utf8 = new TextDecoder();

describe("asks of a handler", () => {
  test("an ask is a call of the other session within the asker's time, and its answer goes on with the handler", async () => {
    const { activation, asks, run, value, said } = activationRig();
    const call = run("asks", 3);
    const [message] = asks;
    assert.deepEqual(
      [message?.by, message?.request.name.agent, message?.request.name.key],
      [call, "asked", "other"],
    );
    assert.deepEqual([message?.request.method, utf8.decode(message?.request.body)], ["add", "3"]);
    assert.deepEqual([message?.request.chain, message?.request.caller], [["probe/k"], "me"]);
    const leftMs = (message?.request.head.deadlineMs ?? 0) - systemClock.monotonicMs();
    assert.ok(leftMs <= 20, `${leftMs} ms`);
    activation.askAnswered(message?.askId ?? 0, {
      ok: true,
      content: "json",
      body: new TextEncoder().encode("4"),
    });
    await until(() => said.length === 1);
    assert.equal(value(call), 4);
  });

  test("a failed ask rejects with what failed, and passes on when nobody catches it", async () => {
    const { activation, asks, run, answerOf, said } = activationRig();
    const call = run("asks", 3);
    const own = { reason: "mine", metadata: { a: "b" }, by: "handler" } as const;
    const failure = { code: "aborted", message: "m", ...own } as const;
    activation.askAnswered(asks[0]?.askId ?? 0, { ok: false, failure });
    await until(() => said.length === 1);
    assert.deepEqual(answerOf(call), { ok: false, failure });
  });

  test("an ask that voda ends says which it was, to the caller and in the log", async () => {
    const { activation, asks, run, message, said, facts, logged } = activationRig();
    const call = run("asks", 3);
    const failure = { code: "unavailable", reason: "worker_lost", message: "its thread ended" } as const;
    activation.askAnswered(asks[0]?.askId ?? 0, { ok: false, failure });
    await until(() => said.length === 1);
    const words = "probe/k -> asked/other add: its thread ended";
    assert.equal(message(call), words);
    assert.equal(logged.at(-1), `handler failed by what it asked: ${words}`);
    assert.partialDeepStrictEqual(facts.at(-1), { level: "warn", asked: "probe/k -> asked/other add" });
  });

  test("a path that the failure names itself is not told twice", async () => {
    const { activation, asks, run, message, said } = activationRig();
    const call = run("asks", 3);
    const words = "the session waits for what it asks itself: other/o -> probe/k -> asked/other";
    const failure = { code: "aborted", reason: "deadlock", message: words } as const;
    activation.askAnswered(asks[0]?.askId ?? 0, { ok: false, failure });
    await until(() => said.length === 1);
    assert.equal(message(call), words);
  });

  test("an answer that cannot be read is the ask's failure, and the handler goes on", async () => {
    const { activation, asks, run, value, said } = activationRig();
    const unreadable: readonly Answer[] = [
      { ok: true, content: "json", body: new TextEncoder().encode("{oops") },
      { ok: false, failure: { code: "aborted", reason: "mine", message: "m", retryAfterMs: 1e12 } },
    ];
    for (const [at, answer] of unreadable.entries()) {
      const call = run("catches");
      activation.askAnswered(asks[at]?.askId ?? 0, answer);
      await until(() => said.length === at + 1);
      assert.match(
        String(value(call)),
        /^probe\/k -> asked\/other add: what was asked gave an answer that cannot be read: /,
      );
    }
  });

  test("sessions wait for each other in rows of at most chainMax", async () => {
    const chain = (length: number) => Array.from({ length }, (_, at) => `probe/${at}`);
    const { asks, run, reason, said } = activationRig();
    const refused = run("asks", 1, { chain: chain(chainMax) });
    await until(() => said.length === 1);
    assert.deepEqual([reason(refused), asks.length], ["asks_too_deep", 0]);
    run("asks", 1, { chain: chain(chainMax - 1) });
    assert.equal(asks[0]?.request.chain.length, chainMax);
  });

  test("an ask that nobody waited for ends with its turn", async () => {
    const { run, seen, said } = activationRig();
    run("asksAndGoes");
    await until(() => said.length === 1 && seen.length === 1);
    assert.deepEqual(seen, ["interrupted"]);
  });
});
