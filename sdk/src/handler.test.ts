import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type AnyAgent, definitionOf, type HostContext, handlersOf } from "./definition.ts";
import { agent, s, VodaError } from "./index.ts";
import { issuesMax } from "./issues.ts";
import { fieldsOf } from "./schema.ts";

/** A Standard Schema of a test's own: what `check` returns, or the issues that it tells. */
function schema<I, O = I>(
  check: (value: unknown) => StandardSchemaV1.Result<O> | Promise<StandardSchemaV1.Result<O>>,
): StandardSchemaV1<I, O> {
  return { "~standard": { version: 1, vendor: "test", validate: check } };
}

const whole = schema<string, number>((value) =>
  typeof value === "string" && /^\d+$/.test(value)
    ? { value: Number(value) }
    : { issues: [{ message: "is no whole number" }] },
);

const base = agent("shop", { count: s.counter() });

function runs(of: AnyAgent, method: string, signal = new AbortController().signal) {
  const handler = handlersOf(of).get(method);
  assert.ok(handler?.type === "plain");
  const context = { state: {}, signal } as HostContext;
  return { handler, run: (input: unknown) => handler.run(context, input) };
}

const refused = (issues: readonly object[], message?: string) => (error: unknown) => {
  assert.ok(VodaError.is(error, "invalid_argument"));
  assert.equal(error.reason, "invalid_input");
  assert.deepEqual(JSON.parse(error.details["issues"] ?? ""), issues);
  if (message !== undefined) assert.equal(error.message, message);
  return true;
};

test("a handler gets what its schema returns", () => {
  const { run, handler } = runs(
    base.handler("twice", { input: whole }, (_ctx, by) => by * 2),
    "twice",
  );
  assert.equal(handler.mode, "handler");
  assert.equal(run("21"), 42);
});

test("a handler with options may be readonly, with its input checked all the same", () => {
  const shop = base.handler("has", { readonly: true, input: whole }, (_ctx, by) => by);
  const { run, handler } = runs(shop, "has");
  assert.equal(handler.mode, "readonly");
  assert.deepEqual(definitionOf(shop).methods, [{ name: "has", mode: "readonly" }]);
  assert.equal(run("21"), 21);
  assert.throws(() => run("x"), refused([{ path: "input", message: "is no whole number" }]));
  const other: object = { readonly: "yes" };
  assert.throws(
    () => base.handler("has", other, () => null),
    new TypeError('agent shop: handler "has": readonly of "yes" is neither true nor false'),
  );
});

test("a handler that rejects when the session is busy is defined so, and a readonly one cannot", () => {
  const shop = base
    .handler("now", { onBusy: "reject" }, () => null)
    .handler("later", { onBusy: "queue" }, () => null);
  assert.deepEqual(definitionOf(shop).methods, [
    { name: "now", mode: "handler", onBusy: "reject" },
    { name: "later", mode: "handler" },
  ]);
  const wrong: readonly [object, string][] = [
    [{ onBusy: "interrupt" }, 'onBusy of "interrupt" is none of queue, reject'],
    [
      { onBusy: "reject", readonly: true },
      "onBusy is of handlers that write: a readonly one waits for no turn",
    ],
  ];
  for (const [options, why] of wrong)
    assert.throws(
      () => base.handler("now", options, () => null),
      new TypeError(`agent shop: handler "now": ${why}`),
    );
});

test("an input that does not fit is told with where and why, and the handler does not run", () => {
  const nested = schema<{ items: number[] }>(() => ({
    issues: [
      { message: "is no number", path: ["items", 0, { key: "unit price" }] },
      { message: "is missing", path: ["name"] },
      { message: "is strange" },
    ],
  }));
  const { run } = runs(
    base.handler("buy", { input: nested }, () => assert.fail("it ran")),
    "buy",
  );
  assert.throws(
    () => run({}),
    refused(
      [
        { path: 'input.items[0]["unit price"]', message: "is no number" },
        { path: "input.name", message: "is missing" },
        { path: "input", message: "is strange" },
      ],
      'input.items[0]["unit price"]: is no number; input.name: is missing; input: is strange',
    ),
  );
});

test("however much is wrong, what is told is bounded", () => {
  const issues = Array.from({ length: 1_000 }, () => ({
    message: "x".repeat(9_999),
    path: ["y".repeat(9_999)],
  }));
  const { run } = runs(
    base.handler("a", { input: schema(() => ({ issues })) }, () => null),
    "a",
  );
  assert.throws(
    () => run({}),
    (error) =>
      VodaError.is(error) &&
      error.message.length < 4_096 &&
      error.message.endsWith(`and ${1_000 - issuesMax} more`),
  );
});

test("a schema that refuses without a reason is told as such", () => {
  for (const issues of [[], [{ message: "" }], new Array(1_000_000_000)]) {
    const { run } = runs(
      base.handler("put", { input: schema(() => ({ issues })) }, () => null),
      "put",
    );
    assert.throws(
      () => run(1),
      refused([{ path: "input", message: "the schema gave no reason" }], "input: the schema gave no reason"),
    );
  }
});

test("a schema may take its time", async () => {
  const later = schema<string, number>(async (value) => whole["~standard"].validate(value));
  const { run } = runs(
    base.handler("later", { input: later }, (_ctx, by) => by + 1),
    "later",
  );
  assert.equal(await run("1"), 2);
  await assert.rejects(async () => run("x"), refused([{ path: "input", message: "is no whole number" }]));
});

test("a schema that answers with a promise of another realm, or with a thenable, is applied", async () => {
  const { resolve } = runInNewContext("({ resolve: (value) => Promise.resolve(value) })") as {
    resolve: <X>(value: X) => Promise<X>;
  };
  const thenable = <X>(value: X) =>
    ({ ["THEN".toLowerCase()]: (take: (given: X) => void) => take(value) }) as never as Promise<X>;
  for (const wrap of [resolve, thenable]) {
    const { run } = runs(
      base.handler(
        "foreign",
        { input: schema<string, number>((value) => wrap(whole["~standard"].validate(value) as never)) },
        (_ctx, by) => by + 1,
      ),
      "foreign",
    );
    assert.equal(await run("1"), 2);
    await assert.rejects(async () => run("x"), refused([{ path: "input", message: "is no whole number" }]));
  }
});

test("a schema that answers neither a value nor issues lets nothing pass", async () => {
  const answers: readonly unknown[] = [7, undefined, null, {}, { issues: "no" }, Promise.resolve({})];
  for (const answer of answers) {
    const { run } = runs(
      base.handler("odd", { input: schema(() => answer as never) }, () => assert.fail("it ran")),
      "odd",
    );
    await assert.rejects(
      async () => run("x"),
      /BrokenSchemaError: .*"odd": input: .*neither a value nor issues/,
    );
  }
  const field = s.register(
    schema<string>((value) => (value === "" ? { value: "" } : ({} as never))),
    "",
  );
  const { validate } = fieldsOf("shop", { title: field })[0] ?? {};
  assert.throws(
    () => validate?.("x", "state.title", "state.title"),
    /^BrokenSchemaError: state\.title: the schema answered neither/,
  );
});

test("what a schema throws is its own slip, but for what it throws on purpose", async () => {
  const odd = new VodaError("permission_denied", "not you");
  const throwing: readonly [() => unknown, RegExp][] = [
    [() => assert.fail("x"), /^BrokenSchemaError: agent shop: handler "odd": input: the schema threw$/],
    [() => Promise.reject(new RangeError("x")), /: input: the schema threw$/],
    [() => ({ issues: [{ message: 7 }] }), /: input: the schema threw$/],
    [() => Promise.resolve({ issues: [null] }), /: input: the schema threw$/],
    [() => Promise.reject(odd), /not you/],
  ];
  for (const [validate, words] of throwing) {
    const added = base.handler("odd", { input: schema(validate as never) }, () => assert.fail("it ran"));
    await assert.rejects(async () => runs(added, "odd").run("x"), words);
  }
  const title = s.register(
    schema<string>((value) => (value === "" ? { value: "" } : assert.fail("x"))),
    "",
  );
  const { validate } = fieldsOf("shop", { title })[0] ?? {};
  assert.throws(
    () => validate?.("x", "state.title", "state.title"),
    /^BrokenSchemaError: state\.title: the schema threw$/,
  );
});

test("a handler whose caller went away during the check does not begin", async () => {
  const caller = new AbortController();
  const slow = schema<string>(async () => {
    caller.abort(new Error("gone"));
    return { value: "" };
  });
  const { run } = runs(
    base.handler("slow", { input: slow }, () => assert.fail("it ran")),
    "slow",
    caller.signal,
  );
  await assert.rejects(async () => run("x"), /gone/);
});

test("options become plain data, and what is not said is not there", () => {
  const more = base
    .handler(
      "tidy",
      { access: "internal", timeout: "2s", description: "Throws old things away." },
      () => null,
    )
    .handler("bare", {}, () => null);
  assert.deepEqual(definitionOf(more).methods, [
    {
      name: "tidy",
      mode: "handler",
      access: "internal",
      turnMsMax: 2_000,
      description: "Throws old things away.",
    },
    { name: "bare", mode: "handler" },
  ]);
  assert.equal(runs(more, "tidy").handler.turnMsMax, 2_000);
});

test("bad options are refused when the agent is defined, with its name and the value", () => {
  const untyped = (value: unknown): never => value as never;
  const bad: readonly (readonly [object, RegExp])[] = [
    [{ on: "queue" }, /^TypeError: agent shop: handler "a": option "on" is unknown; known are input, /],
    [{ input: 1 }, /^TypeError: agent shop: handler "a": input takes a Standard Schema/],
    [{ access: "mesh" }, /^TypeError: agent shop: handler "a": access of "mesh" is none of public, internal/],
    [{ timeout: "2h" }, /^RangeError: agent shop: handler "a": timeout of "2h" is out of range/],
    [{ timeout: "soon" }, /^TypeError: agent shop: handler "a": timeout of "soon" is not a duration/],
    [{ description: 1 }, /^TypeError: agent shop: handler "a": the description is not a text/],
    [{ description: "x".repeat(1_025) }, /^RangeError: .* 1025 characters exceeds descriptionCharsMax 1024/],
  ];
  for (const [options, message] of bad)
    assert.throws(
      () => base.handler("a", untyped(options), () => null),
      (error) => message.test(String(error)) || assert.fail(String(error)),
    );
  assert.throws(() => base.handler("then", {}, () => null), /"then" is reserved/);
  assert.throws(() => base.handler("a", {}, () => null).handler("a" as "b", {}, () => null), /"a" already/);
  assert.throws(() => base.handler("a", {}, untyped(1)), /is not a function/);
});
