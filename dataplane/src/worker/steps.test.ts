import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as after } from "node:timers/promises";
import { runInThisContext } from "node:vm";
import { sourceScheme } from "@voda/proto/wire";
import * as v from "valibot";
import { type AgentOptions, agent, type Ctx, type RunOptions, type Schema, s, VodaError } from "voda";
import { activationRig, until } from "../../test/activation-rig.ts";
import { type CallId, type StepAnswer, stepBytesMax, turnStepsMax, turnTimesMax } from "../call/index.ts";

const utf8 = new TextEncoder();
const text = new TextDecoder();
const id: CallId = {
  type: "key",
  id: new Uint8Array(16),
  rawHash: new Uint8Array(16),
  keepMs: 1_000,
};
const key = new Uint8Array(16).fill(0xab);
const begin: StepAnswer = { type: "begin", idempotencyKey: key };
const result = (value: string): StepAnswer => ({ type: "result", result: utf8.encode(value) });

/** A handler that does steps, and what was heard of them. */
function stepping(run: Parameters<typeof handler>[0], options: AgentOptions = {}) {
  const rig = activationRig(handler(run, options));
  const next = async (count: number) => {
    await until(() => rig.steps.length >= count || rig.said.length > 0);
    const message = rig.steps[count - 1];
    assert.ok(message !== undefined, `no step message ${count}`);
    return message;
  };
  const ended = async () => {
    await until(() => rig.said.length > 0);
    return rig;
  };
  return { ...rig, next, ended, start: () => rig.run("go", undefined, { id }) };
}

type Stepper = Parameters<ReturnType<typeof agent>["handlers"]>[0];
const handler = (run: (ctx: Parameters<Stepper[string]>[0]) => unknown, options: AgentOptions) =>
  agent("probe", {}, options).handlers({ go: async (ctx) => ((await run(ctx as never)) ?? null) as never });

describe("steps of a handler", () => {
  test("a step is done when the session lets it, and its result goes on when it is kept", async () => {
    const keys: string[] = [];
    const { start, next, activation, ended, value, seen } = stepping(async (ctx) => {
      const receipt = await ctx.run("charge", ({ idempotencyKey }) => {
        keys.push(idempotencyKey);
        return { cents: 5 };
      });
      seen.push(receipt);
      return receipt.cents;
    });
    const call = start();
    const wanted = await next(1);
    assert.partialDeepStrictEqual(wanted, { type: "step", by: call, step: 1, name: "charge" });
    assert.deepEqual(keys, [], "it has not begun");
    activation.stepAnswered(1, begin);
    const done = await next(2);
    assert.deepEqual(keys, [Buffer.from(key).toString("hex")]);
    assert.ok(done.type === "step_done");
    assert.equal(text.decode(done.result), '{"cents":5}');
    assert.deepEqual(seen, [], "it is not kept yet");
    activation.stepAnswered(1, result('{"cents":5}'));
    await ended();
    assert.equal(value(call), 5);
  });

  test("a step that is in the journal is not done, and its result is checked all the same", async () => {
    const schema = v.object({ cents: v.number() });
    for (const [kept, reason] of [
      ['{"cents":7}', undefined],
      ['{"cents":"7"}', "invalid_result"],
    ] as const) {
      const rig = stepping((ctx) => ctx.run("charge", () => assert.fail("it is done again"), { schema }));
      const call = rig.start();
      await rig.next(1);
      rig.activation.stepAnswered(1, result(kept));
      await rig.ended();
      if (reason === undefined) assert.deepEqual(rig.value(call), { cents: 7 });
      else assert.deepEqual([rig.reason(call), rig.failureOf(call).code], [reason, "internal"]);
    }
  });

  test("a result that does not fit, that JSON does not have or that is too large is not kept", async () => {
    for (const [made, reason, schema] of [
      [{ cents: "7" }, "invalid_result", v.object({ cents: v.number() })],
      [new Date(), "invalid_result", undefined],
      ["x".repeat(stepBytesMax), "too_large", undefined],
    ] as const) {
      const options = { retry: { attempts: 3, delay: 1 }, ...(schema && { schema }) } as RunOptions;
      let times = 0;
      const rig = stepping((ctx) =>
        ctx.run(
          "charge",
          () => {
            times += 1;
            return made as never;
          },
          options as never,
        ),
      );
      const call = rig.start();
      await rig.next(1);
      rig.activation.stepAnswered(1, begin);
      await rig.ended();
      assert.deepEqual([rig.reason(call), times, rig.steps.length], [reason, 1, 1]);
    }
  });

  test("a name that comes twice and bad options are refused, and nothing is done", async () => {
    const { start, next, activation, ended, value } = stepping(async (ctx) => {
      const refused = async (name: unknown, options?: unknown): Promise<string> =>
        ctx
          .run(name as string, () => assert.fail("it is done"), options as never)
          .then(
            () => "done",
            (error: Error) => error.message,
          );
      void Promise.allSettled([ctx.run("pay", () => null)]);
      return [
        await refused("pay"),
        await refused(""),
        await refused(() => 1),
        await refused("x".repeat(129)),
        await refused("a", { retries: 1 }),
        await refused("a", { retry: 3 }),
        await refused("b", { retry: { attempts: 0 } }),
        await refused("c", { timeout: "1w" }),
        await refused("d", { idempotencyKey: "with space" }),
      ];
    });
    const call = start();
    await next(1);
    activation.stepAnswered(1, begin);
    await ended();
    const named = "ctx.run: the name of a step, which comes first, is a text of 1 to 128 characters";
    assert.deepEqual(value(call), [
      'ctx.run: step "pay" comes twice in one turn: give each a name of its own, as in `charge ${item}`',
      `${named}; it has 0`,
      `${named}; it is of type function`,
      `${named}; it has 129`,
      'ctx.run("a"): run option "retries" is unknown; known are idempotencyKey, retry, timeout, schema',
      'ctx.run("a"): retry options must be an object',
      'ctx.run("b"): attempts of 0 is not a whole number of 1 to 100',
      'ctx.run("c"): timeout of "1w" is not a duration: ' +
        'write milliseconds, or "250ms", "2s", "5m", "1h", "7d"',
      'ctx.run("d"): an idempotencyKey is 1 to 255 characters of ASCII without spaces',
    ]);
  });

  test("a readonly handler does no step", async () => {
    const probe = agent("probe").readonly({
      go: (ctx) => (ctx as never as Ctx<Schema>).run("a", () => assert.fail("it is done")),
    });
    const { run, said, message } = activationRig(probe);
    const call = run("go", undefined, { readonly: true });
    await until(() => said.length > 0);
    assert.match(message(call), /a readonly handler may run twice/);
  });

  test("a step that throws is tried again as its policy says, under one key, and a final error ends it", async () => {
    for (const [thrown, attempts] of [
      [new Error("refused"), 3],
      [new VodaError("unavailable", "later"), 3],
      [new VodaError("invalid_argument", "never"), 1],
    ] as const) {
      const keys: string[] = [];
      const rig = stepping((ctx) =>
        ctx.run(
          "charge",
          ({ idempotencyKey }) => {
            keys.push(idempotencyKey);
            throw thrown;
          },
          { retry: { attempts: 3, delay: 1 }, idempotencyKey: "order-7" },
        ),
      );
      const call = rig.start();
      await rig.next(1);
      rig.activation.stepAnswered(1, begin);
      await rig.ended();
      assert.deepEqual(keys, new Array<string>(attempts).fill("order-7"));
      assert.equal(rig.failureOf(call).code, thrown instanceof VodaError ? thrown.code : "internal");
      const again = rig.logged.filter((line) => line.includes("attempt"));
      assert.equal(again.length, attempts - 1);
    }
  });

  test("each attempt has its time, and its signal fires when that is over", async () => {
    const reasons: unknown[] = [];
    const rig = stepping((ctx) =>
      ctx.run(
        "slow",
        async ({ signal }) => {
          signal.addEventListener("abort", () => reasons.push((signal.reason as VodaError).reason));
          await new Promise(() => undefined);
        },
        { timeout: 2, retry: { attempts: 2, delay: 1 } },
      ),
    );
    const call = rig.start();
    await rig.next(1);
    rig.activation.stepAnswered(1, begin);
    await rig.ended();
    assert.deepEqual(reasons, ["step_timeout", "step_timeout"]);
    assert.deepEqual([rig.reason(call), rig.failureOf(call).code], ["step_timeout", "deadline_exceeded"]);
  });

  test("a turn that ends takes its steps with it: their signals fire, and what they return is not kept", async () => {
    const reasons: unknown[] = [];
    const rig = stepping(
      (ctx) =>
        ctx.run("hang", async ({ signal }) => {
          signal.addEventListener("abort", () => reasons.push((signal.reason as VodaError).reason));
          await after(100);
          return 1;
        }),
      { maxTurn: "50ms" },
    );
    const call = rig.start();
    await rig.next(1);
    rig.activation.stepAnswered(1, begin);
    await rig.ended(); // by maxTurn
    assert.equal(rig.reason(call), "turn_timeout");
    assert.match(rig.message(call), /its handler still awaits its step "hang"/);
    assert.deepEqual(reasons, ["turn_timeout"]);
    await after(100);
    assert.equal(rig.steps.length, 1);
  });

  test("a turn that is ended at a step ends so, whatever its handler makes of it", async () => {
    const rig = stepping(async (ctx) => ctx.run("a", () => assert.fail("done")).catch(() => "paid by cash"));
    const call = rig.start();
    await rig.next(1);
    const failure = { code: "unavailable", reason: "store_away", message: "m" } as const;
    rig.activation.stepAnswered(1, { type: "ended", failure });
    await rig.ended();
    assert.deepEqual(rig.answerOf(call), { ok: false, failure });
  });

  test("what stands in for Date.now gives whole times, or none: no step is done that cannot be noted", async () => {
    const { now } = Date;
    const times: unknown[] = [];
    const rig = stepping((ctx) => {
      for (const time of [1_795_951_152_351.7773, Number.NaN, -1]) {
        Date.now = () => time;
        try {
          times.push(ctx.now());
        } catch (error) {
          times.push(String(error));
        }
      }
      Date.now = now;
      return ctx.run("a", () => null);
    });
    rig.start();
    await rig.next(1);
    rig.activation.stepAnswered(1, begin);
    const done = await rig.next(2);
    assert.ok(done.type === "step_done");
    assert.deepEqual(done.drawn.times, [1_795_951_152_351]);
    const none = (time: number) => `RangeError: Date.now gives ${time}, which are no milliseconds since 1970`;
    assert.deepEqual(times, [1_795_951_152_351, none(Number.NaN), none(-1)]);
    rig.activation.stepAnswered(1, result("null"));
    await rig.ended();
  });

  test("what a turn drew before a step is the same when it runs again, and fresh after", async () => {
    const drawOf = () =>
      stepping(async (ctx) => {
        const before = [ctx.now(), ctx.random(), ctx.uuid()];
        await ctx.run("a", () => null);
        return [...before, ctx.now() > 1];
      });
    const first = drawOf();
    const call = first.start();
    await first.next(1);
    first.activation.stepAnswered(1, begin);
    const done = await first.next(2);
    assert.ok(done.type === "step_done");
    first.activation.stepAnswered(1, result("null"));
    await first.ended();
    const again = drawOf();
    const { seed, times } = done.drawn;
    again.activation.recall(1, { seed, times: [times.map(() => 77)] });
    const second = again.start();
    await again.next(1);
    again.activation.stepAnswered(1, result("null"));
    await again.ended();
    const [, random, uuid] = first.value(call) as [number, number, string];
    assert.deepEqual(again.value(second), [77, random, uuid, true]);
    assert.match(uuid, /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    assert.ok(random >= 0 && random < 1);
  });

  test("a turn that asks the clock without end does no step after it", async () => {
    const { start, ended, reason } = stepping(async (ctx) => {
      for (let i = 0; i < turnTimesMax; i += 1) ctx.now();
      await ctx.run("a", () => assert.fail("it is done"));
    });
    const call = start();
    await ended();
    assert.equal(reason(call), "too_large");
  });

  test("a turn has so many steps, at once or in a row, with an id or without", async () => {
    for (const parts of [{ id }, {}]) {
      const rig = stepping((ctx) =>
        Promise.all(Array.from({ length: turnStepsMax + 1 }, (_, i) => ctx.run(`${i}`, () => null))),
      );
      const call = rig.run("go", undefined, parts);
      await rig.ended();
      assert.equal(rig.reason(call), "too_large");
      assert.match(rig.message(call), /^ctx.run: step "256": a turn does at most turnStepsMax 256 steps$/);
      assert.equal(rig.steps.length, turnStepsMax);
    }
  });

  test("what a handler would do in its own turn is refused in the function of a step, also later", async () => {
    const box = agent("box").handlers({ put: (_ctx, words: string) => words });
    const { promise: begun, resolve: begins } = Promise.withResolvers<void>();
    const { promise: over, resolve: ends } = Promise.withResolvers<void>();
    const told: string[] = [];
    const probe = agent("probe", { count: s.counter(), name: s.register("none") }).handlers({
      async go(ctx) {
        const refused = async (act: () => unknown): Promise<void> => {
          try {
            await act();
            told.push(String(act));
          } catch (error) {
            const { code, reason, message } = VodaError.from(error);
            assert.deepEqual([code, reason], ["invalid_argument", "bad_request"]);
            told.push(
              message.replace(/ within step "pay": a step that is kept is not done again.*after$/, ""),
            );
          }
        };
        const acts = [
          () => ctx.state.count.add(1),
          () => void (ctx.state.name = "paid"),
          () => ctx.send(box, "b").put("t"),
          () => ctx.send(box, "b", { delay: "1s" }).put("t"),
          () => ctx.schedule(box, "b", { in: "1s" }).put("t"),
          () => ctx.cancel("t"),
          () => ctx.ask(box, "b").put("t"),
          () => ctx.run("within", () => null),
        ];
        let late = begun;
        const paid = ctx.run("pay", async () => {
          assert.equal(ctx.state.count.value, 3);
          for (const act of acts) await refused(act);
          late = over.then(() => refused(acts[0] as () => unknown));
          begins();
          return ctx.state.name;
        });
        ctx.state.count.add(1);
        await begun;
        // beside the step the handler goes on
        ctx.state.count.add(1);
        ctx.send(box, "b").put(await paid);
        ends();
        await late;
        return [await ctx.run("then", () => 7), ctx.state.count.value];
      },
      set: (ctx) => ctx.state.count.add(2),
    });
    const rig = activationRig(probe);
    rig.run("set");
    await until(() => rig.said.length > 0);
    const call = rig.run("go", undefined, { id });
    for (const [step, kept] of [
      [1, '"none"'],
      [2, "7"],
    ] as const) {
      await until(() => rig.steps.length >= 2 * step - 1 || rig.said.length > 1);
      rig.activation.stepAnswered(step, begin);
      await until(() => rig.steps.length >= 2 * step || rig.said.length > 1);
      rig.activation.stepAnswered(step, result(kept));
    }
    await until(() => rig.checks.length > 0);
    rig.activation.askAnswered(1, { ok: true, content: "json", body: new Uint8Array(0) });
    await until(() => rig.said.length > 1);
    assert.deepEqual(rig.value(call), [7, 4]);
    const write = ["a write to state.count", "a write to state.name"];
    const others = [
      'ctx.send(box, "b").put',
      'ctx.send(box, "b").put',
      'ctx.schedule(box, "b").put',
      'ctx.cancel("t")',
      'ctx.ask(box, "b").put',
      'ctx.run("within")',
    ];
    assert.deepEqual(told, [...write, ...others, "a write to state.count"]);
  });

  test("a refusal within a step ends it at once, and its caller hears what to do", async () => {
    const probe = agent("probe", { count: s.counter(), name: s.register("none") }).handlers({
      go: (ctx) => ctx.run("pay", () => ctx.state.count.add(1), { retry: { attempts: 3, delay: 1 } }),
    });
    const rig = activationRig(probe);
    const call = rig.run("go", undefined, { id });
    await until(() => rig.steps.length > 0);
    rig.activation.stepAnswered(1, begin);
    await until(() => rig.said.length > 0);
    assert.equal(
      rig.message(call),
      'a write to state.count within step "pay": a step that is kept is not done again, ' +
        "and this would be missing; return from the step what you need, and do it after",
    );
    assert.deepEqual(
      rig.logged.filter((line) => line.includes("attempt")),
      [],
    );
  });

  test("what a step draws is not the turn's: without the step the rest is the same", async () => {
    const drawn = async (kept: StepAnswer): Promise<unknown> => {
      const rig = stepping(async (ctx) => {
        await ctx.run("a", () => [ctx.random(), ctx.uuid(), ctx.now()].length);
        return [ctx.random(), ctx.uuid()];
      });
      rig.activation.recall(1, { seed: new Uint8Array(16), times: [] });
      const call = rig.start();
      await rig.next(1);
      rig.activation.stepAnswered(1, kept);
      if (kept.type === "begin") {
        const done = await rig.next(2);
        assert.ok(done.type === "step_done");
        assert.deepEqual(done.drawn.times, []);
        rig.activation.stepAnswered(1, result("3"));
      }
      await rig.ended();
      return rig.value(call);
    };
    assert.deepEqual(await drawn(begin), await drawn(result("3")));
  });

  test("what fails a step without a line of its own is told with that of ctx.run", async () => {
    const code = "(ctx, options, perform) => ctx.run('pay', perform, options)";
    const pay = runInThisContext(code, { filename: `${sourceScheme}probe.ts` }) as (
      ctx: object,
      options: RunOptions,
      perform: () => unknown,
    ) => Promise<null>;
    for (const [perform, options] of [
      [() => new Promise(() => undefined), { timeout: 1 }],
      [() => new Date(), {}],
      [() => fetch("http://127.0.0.1:1"), {}],
    ] as const) {
      const rig = stepping((ctx) => pay(ctx, options, perform));
      rig.start();
      await rig.next(1);
      rig.activation.stepAnswered(1, begin);
      await rig.ended();
      assert.partialDeepStrictEqual(rig.facts.at(-1), { at: `probe.ts:1:${code.indexOf(".run(") + 2}` });
    }
  });
});
