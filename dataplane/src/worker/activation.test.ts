import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turnOfLoop } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { openState, type Schema, type SessionState } from "@voda/state";
import { systemClock } from "@voda/stdx";
import { agent, s, VodaError } from "voda";
import { definitionOf, handlersOf } from "voda/definition";
import { plainCall } from "../../test/call.ts";
import {
  type Answer,
  type AskMessage,
  type Content,
  chainMax,
  decodeAnswer,
  type Failure,
} from "../call/index.ts";
import { BegunWriter, createBegunTable, readBegun } from "../threads/index.ts";

import type { TurnMessage } from "../turn/index.ts";
import { WorkerActivation } from "./activation.ts";

const utf8 = new TextDecoder();

/** Promises of handlers that a test lets go. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

/** What is asked: only its name and types count here. */
const asked = agent("asked").handlers({ add: (_ctx, by: number) => by });

/** Handlers of all kinds; some wait for `held`, and `seen` is what they saw. */
function probeAgent(held: ReturnType<typeof gate>, seen: unknown[]) {
  return agent("probe", { count: s.counter(), name: s.register("none") }, { maxTurn: "50ms" })
    .readonly({
      get: (ctx) => ({ count: ctx.state.count.value, name: ctx.state.name }),
      async slowGet(ctx) {
        await held.opened;
        return ctx.state.count.value;
      },
      never: () => new Promise<null>(() => undefined),
    })
    .handlers({
      add: (ctx, by: number) => ctx.state.count.add(by),
      async addHeld(ctx, by: number) {
        ctx.state.count.add(by);
        await held.opened;
        return ctx.state.count.value;
      },
      async hang(ctx) {
        ctx.state.count.add(1000);
        ctx.signal.addEventListener("abort", () => seen.push((ctx.signal.reason as VodaError).reason));
        await new Promise(() => undefined);
        return null;
      },
      asks: (ctx, by: number) => ctx.ask(asked, "other", { timeout: "20ms" }).add(by),
      asksAndGoes(ctx) {
        void ctx
          .ask(asked, "other")
          .add(1)
          .catch((error: unknown) => seen.push((error as VodaError).reason));
        return null;
      },
      refuse(ctx, message: string) {
        ctx.state.count.add(1000);
        throw new VodaError("failed_precondition", message);
      },
      wrongShape() {
        throw new TypeError("of a method without input");
      },
      strange() {
        throw Object.create(null);
      },
      wrongError() {
        throw Object.assign(new VodaError("aborted", "m"), { code: "nonsense", message: 7 });
      },
      revoked() {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        return proxy;
      },
      thenGetter: () => ({
        get ["THEN".toLowerCase()](): never {
          throw new Error("read by a getter");
        },
      }),
      badInspect() {
        throw {
          [Symbol.for("nodejs.util.inspect.custom")]() {
            throw new Error("inspected");
          },
          get stack(): never {
            throw new Error("asked for its stack");
          },
        };
      },
      unwritable: () => ({
        toJSON(): never {
          throw Object.create(null);
        },
      }),
      strangePromise: () =>
        Object.defineProperty(Promise.resolve(null), "constructor", {
          get: () => {
            throw new Error("asked for its constructor");
          },
        }),
      async catches(ctx) {
        try {
          return await ctx.ask(asked, "other").add(1);
        } catch (error) {
          return VodaError.from(error).message;
        }
      },
      thenable: () => new Proxy({}, { has: () => true, get: () => assert.fail }) as never,
    })
    .handler("brief", { timeout: 5 }, () => new Promise<null>(() => undefined));
}

/** The state, and how many views of it are open. */
function countViews(state: SessionState): { readonly counting: SessionState; readonly views: () => number } {
  let views = 0;
  const counting: SessionState = {
    get seq() {
      return state.seq;
    },
    get bytes() {
      return state.bytes;
    },
    apply: (delta) => state.apply(delta),
    begin: () => state.begin(),
    snapshot: () => state.snapshot(),
    view() {
      const view = state.view();
      views += 1;
      return {
        state: view.state,
        close() {
          view.close();
          views -= 1;
        },
      };
    },
  };
  return { counting, views: () => views };
}

/** What was said of calls. */
function readAnswers(said: readonly TurnMessage[]) {
  const answerOf = (call: number): Answer => {
    const message = said.find((one) => one.call === call);
    assert.ok(message !== undefined && "answer" in message, `call ${call} has no answer`);
    return decodeAnswer(message.answer);
  };
  const value = (call: number): unknown => {
    const answer = answerOf(call);
    assert.ok(answer.ok, JSON.stringify(answer));
    return JSON.parse(utf8.decode(answer.body));
  };
  const failureOf = (call: number): Failure => {
    const answer = answerOf(call);
    assert.ok(!answer.ok);
    return answer.failure;
  };
  const reason = (call: number): string => failureOf(call).reason;
  const message = (call: number): string => failureOf(call).message;
  return { answerOf, value, reason, message };
}

function harness() {
  const held = gate();
  const seen: unknown[] = [];
  const probe = probeAgent(held, seen);
  const schema: Schema = { count: { kind: "counter" }, name: { kind: "register", initial: "none" } };
  const state: SessionState = openState(schema, { crc32 });
  const said: TurnMessage[] = [];
  const asks: AskMessage[] = [];
  const cuts: [number, number][] = [];
  let pages = 0;
  const logged: string[] = [];
  const facts: object[] = [];
  const { counting, views } = countViews(state);
  const table = createBegunTable();
  const activation = new WorkerActivation({
    number: 7,
    node: "n1",
    name: { namespace: "default", agent: "probe", key: "k" },
    epoch: 1,
    state: counting,
    handlers: handlersOf(probe),
    turnMsMax: definitionOf(probe).turnMsMax,
    log: {
      say(level, message, more) {
        logged.push(message);
        facts.push({ level, ...more });
      },
      print: (_, message) => void logged.push(message),
      settle: () => undefined,
    },
    begun: new BegunWriter(table),
    say(message) {
      if (message.type === "cut_page") pages += 1;
      else if (message.type === "cut") cuts.push([message.after, pages]);
      else if (message.type === "ask") asks.push(message);
      else if ("answer" in message || message.type === "dropped") said.push(message);
    },
  });
  let next = 0;
  const run = (
    method: string,
    input?: unknown,
    more: {
      readonly content?: Content;
      readonly body?: Uint8Array;
      readonly deadlineMs?: number;
      readonly readonly?: boolean;
      readonly chain?: readonly string[];
    } = {},
  ): number => {
    next += 1;
    const json = input === undefined ? new Uint8Array(0) : new TextEncoder().encode(JSON.stringify(input));
    const readonly = more.readonly ?? ["get", "slowGet", "never"].includes(method);
    const deadlineMs = more.deadlineMs ?? systemClock.monotonicMs() + 60_000;
    const { content = "json", body = json, chain = [] } = more;
    activation.run(
      plainCall(next, deadlineMs, { head: { readonly }, method, content, body, chain, caller: "me" }),
    );
    return next;
  };
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await turnOfLoop();
  };
  return {
    activation,
    held,
    seen,
    state,
    said,
    asks,
    cuts,
    logged,
    facts,
    run,
    ...readAnswers(said),
    until,
    views,
    hasBegun: (call: number) => readBegun(table).has(call),
  };
}

describe("an activation", () => {
  test("runs turns one after another and numbers them", async () => {
    const { run, value, held, said, until } = harness();
    const first = run("addHeld", 2);
    const second = run("add", 3);
    assert.equal(said.length, 0);
    held.open();
    await until(() => said.length === 2);
    assert.deepEqual([value(first), value(second)], [2, 5]);
    assert.deepEqual(
      said.map((one) => one.type === "turned" && one.turn),
      [1, 2],
    );
  });

  test("closes the view of every reader that has answered", async () => {
    const { run, value, views, held, said, until } = harness();
    assert.deepEqual(value(run("get")), { count: 0, name: "none" });
    assert.equal(views(), 0, "a reader that returns at once");
    const slow = run("slowGet");
    assert.equal(views(), 1);
    held.open();
    await until(() => said.length === 2);
    assert.equal(value(slow), 0);
    assert.equal(views(), 0, "a reader that awaits");
  });

  test("lets a reader finish on the state that it started on, whatever turns take place beside it", async () => {
    const { run, value, views, held, said, until } = harness();
    const reader = run("slowGet");
    run("add", 4);
    held.open();
    await until(() => said.length === 2);
    assert.equal(value(reader), 0);
    assert.equal(views(), 0);
  });

  test("undoes a turn that runs longer than maxTurn, and aborts its signal", async () => {
    const { run, reason, message, value, seen, logged, said, until } = harness();
    const hung = run("hang");
    await until(() => said.length === 1);
    assert.equal(reason(hung), "turn_timeout");
    assert.deepEqual(seen, ["turn_timeout"]);
    assert.match(message(hung), /its handler still awaits something; give what it awaits a time limit/);
    assert.deepEqual(logged, [`handler failed: ${message(hung)}`]);
    assert.equal(value(run("add", 1)), 1);
  });

  test("a handler's own timeout counts instead of maxTurn", async () => {
    const { run, said, until } = harness();
    run("brief");
    await until(() => said.length === 1);
    const [end] = said;
    assert.ok(end?.type === "failed");
    const answer = decodeAnswer(end.answer);
    assert.ok(!answer.ok);
    assert.match(
      answer.failure.message,
      /^the turn ran longer than the handler's timeout 5 ms and was undone: .* or raise the handler's timeout$/,
    );
  });

  test("an ask is a call of the other session within the asker's time, and its answer goes on with the handler", async () => {
    const { activation, asks, run, value, until, said } = harness();
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
    const { activation, asks, run, answerOf, until, said } = harness();
    const call = run("asks", 3);
    const failure = { code: "aborted", reason: "mine", message: "m", metadata: { a: "b" } } as const;
    activation.askAnswered(asks[0]?.askId ?? 0, { ok: false, failure });
    await until(() => said.length === 1);
    assert.deepEqual(answerOf(call), { ok: false, failure });
  });

  test("an ask that voda ends says which it was, to the caller and in the log", async () => {
    const { activation, asks, run, message, until, said, facts, logged } = harness();
    const call = run("asks", 3);
    const failure = { code: "unavailable", reason: "worker_lost", message: "its thread ended" } as const;
    activation.askAnswered(asks[0]?.askId ?? 0, { ok: false, failure });
    await until(() => said.length === 1);
    const words = "probe/k -> asked/other add: its thread ended";
    assert.equal(message(call), words);
    assert.equal(logged.at(-1), `handler failed by what it asked: ${words}`);
    assert.partialDeepStrictEqual(facts.at(-1), { level: "warn", asked: "probe/k -> asked/other add" });
  });

  test("a handler that takes no input is not said to have missed it", () => {
    const { run, message } = harness();
    assert.doesNotMatch(message(run("wrongShape")), /the input was absent/);
  });

  test("a path that the failure names itself is not told twice", async () => {
    const { activation, asks, run, message, until, said } = harness();
    const call = run("asks", 3);
    const words = "the session waits for what it asks itself: other/o -> probe/k -> asked/other";
    const failure = { code: "aborted", reason: "deadlock", message: words } as const;
    activation.askAnswered(asks[0]?.askId ?? 0, { ok: false, failure });
    await until(() => said.length === 1);
    assert.equal(message(call), words);
  });

  test("an answer that cannot be read is the ask's failure, and the handler goes on", async () => {
    const { activation, asks, run, value, until, said } = harness();
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
    const { asks, run, reason, until, said } = harness();
    const refused = run("asks", 1, { chain: chain(chainMax) });
    await until(() => said.length === 1);
    assert.deepEqual([reason(refused), asks.length], ["asks_too_deep", 0]);
    run("asks", 1, { chain: chain(chainMax - 1) });
    assert.equal(asks[0]?.request.chain.length, chainMax);
  });

  test("an ask that nobody waited for ends with its turn", async () => {
    const { run, seen, until, said } = harness();
    run("asksAndGoes");
    await until(() => said.length === 1 && seen.length === 1);
    assert.deepEqual(seen, ["interrupted"]);
  });

  test("ends a reader that runs longer than maxTurn", async () => {
    const { run, reason, views, said, until } = harness();
    const reader = run("never");
    await until(() => said.length === 1);
    assert.equal(reason(reader), "turn_timeout");
    assert.equal(views(), 0);
  });

  test("drops what is cancelled at its deadline and lets the next one run", () => {
    const { activation, run, value, said } = harness();
    const hung = run("hang");
    const next = run("add", 1);
    activation.cancel(hung, "deadline");
    assert.deepEqual(said[0], { type: "dropped", activation: 7, call: hung, why: "deadline" });
    assert.equal(value(next), 1);
  });

  test("a caller that goes away stops its queued call and undoes the running one, whose session goes on", async () => {
    const { activation, run, said, held, until, state } = harness();
    const running = run("addHeld", 1);
    const queued = run("add", 1);
    activation.cancel(queued, "caller");
    activation.cancel(running, "caller");
    const next = run("add", 1);
    held.open();
    await until(() => said.length === 3);
    assert.deepEqual(
      said.map((one) => [one.type, one.call]),
      [
        ["dropped", queued],
        ["dropped", running],
        ["turned", next],
      ],
    );
    assert.equal(state.seq, 1);
  });

  test("a call without time left runs nothing", () => {
    const { run, said, state } = harness();
    run("add", 1, { deadlineMs: systemClock.monotonicMs() - 1 });
    assert.equal(said[0]?.type, "dropped");
    assert.equal(state.seq, 0);
  });

  test("nothing is said after close, whatever the handler still does", async () => {
    const { activation, run, said, held, views } = harness();
    run("addHeld", 1);
    run("slowGet");
    activation.close();
    held.open();
    await turnOfLoop();
    assert.deepEqual(said, []);
    assert.equal(views(), 0);
  });

  test("a cut is a snapshot of what is executed", () => {
    const { activation, run, cuts } = harness();
    run("add", 1);
    activation.cut();
    assert.deepEqual(cuts, [[1, 2]]);
  });

  test("an error thrown on purpose tells its code and leaves no state", () => {
    const { run, value, answerOf } = harness();
    const answer = answerOf(run("refuse", "not today"));
    assert.ok(!answer.ok);
    assert.deepEqual(answer.failure, {
      code: "failed_precondition",
      reason: "user",
      message: "not today",
      metadata: {},
    });
    assert.deepEqual(value(run("get")), { count: 0, name: "none" });
  });

  test("an error that is too large, mistyped or no error at all is answered, and the session goes on", async () => {
    const { run, reason, value, said, until } = harness();
    assert.equal(reason(run("refuse", "x".repeat(2 * 1024 * 1024))), "too_large");
    assert.equal(reason(run("strange")), "internal");
    const odd = run("thenable");
    await until(() => said.length === 3);
    assert.equal(reason(odd), "internal");
    assert.equal(value(run("add", 1)), 1);
  });

  test("what throws when it is only looked at is the call's failure, and the session goes on", () => {
    const { run, reason, value, logged } = harness();
    const strange = ["revoked", "thenGetter", "badInspect", "unwritable", "strangePromise"];
    for (const method of strange) assert.equal(reason(run(method)), "internal");
    assert.equal(logged.length, strange.length);
    assert.equal(value(run("add", 1)), 1);
  });

  test("an error with a code that does not exist keeps its message, and the log says which code it had", () => {
    const { run, answerOf, logged } = harness();
    const answer = answerOf(run("wrongError"));
    assert.ok(!answer.ok);
    assert.deepEqual(answer.failure, { code: "unknown", reason: "user", message: "7", metadata: {} });
    assert.match(logged[0] ?? "", /has the code "nonsense"/);
  });

  test("a call is marked as begun from its start until its outcome is said", async () => {
    const { run, held, hasBegun, said, until, activation } = harness();
    const first = run("addHeld", 1);
    const second = run("addHeld", 1);
    assert.deepEqual([hasBegun(first), hasBegun(second)], [true, false]);
    held.open();
    await until(() => said.length === 2);
    assert.deepEqual([hasBegun(first), hasBegun(second)], [false, false]);
    const cut = run("hang");
    activation.close();
    assert.equal(hasBegun(cut), false);
  });

  test("a method that this revision does not have is refused", () => {
    const { run, reason } = harness();
    assert.equal(reason(run("gone")), "draining");
    assert.equal(reason(run("add", 1, { readonly: true })), "draining");
  });

  test("input that is no JSON is the caller's mistake", () => {
    const { run, reason } = harness();
    assert.equal(reason(run("add", 1, { body: new TextEncoder().encode("{") })), "bad_request");
    assert.equal(reason(run("add", 1, { content: "proto" })), "bad_request");
  });
});
