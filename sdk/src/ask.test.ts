import assert from "node:assert/strict";
import { test } from "node:test";
import { gather } from "../test/gather.ts";
import type { CalledAgent } from "./agent-types.ts";
import { type AskRequest, askFunction } from "./ask.ts";
import { agent, VodaError } from "./index.ts";
import { jsonProblem, sentProblem } from "./json.ts";

const counter = agent("counter").handlers({ add: (_ctx, by: number) => by, get: () => 0 });

function asking() {
  const asked: AskRequest[] = [];
  const perform = async (one: AskRequest): Promise<unknown> => {
    asked.push(one);
    return 7;
  };
  const ask = askFunction(perform, () => () => undefined);
  return { asked, ask };
}

test("an ask says whom, what and for how long, and gives what its host gives", async () => {
  const { asked, ask } = asking();
  assert.equal(await ask(counter, "a/b", { timeout: "2s" }).add(3), 7);
  await ask(counter, "k").get();
  assert.deepEqual(asked, [
    { agent: "counter", key: "a/b", method: "add", body: "3", timeoutMs: 2_000 },
    { agent: "counter", key: "k", method: "get", body: undefined, timeoutMs: undefined },
  ]);
});

test("the session that is asked is no value: its method was forgotten", () => {
  const { ask } = asking();
  const session = ask(counter, "k");
  const words = "which JSON does not have; send what a method of it gives: call one";
  assert.equal(sentProblem({ of: [session] }, "it"), `it.of[0] is Session, ${words}`);
  assert.equal(jsonProblem(session), "it is Session, not a plain object");
  assert.throws(
    () => Number(session),
    /^TypeError: a session is neither text nor number: call a method of it$/,
  );
});

test("the session that is asked is no promise", async () => {
  const { ask } = asking();
  const session = ask(counter, "k");
  assert.equal(await Promise.resolve(session), session);
});

test("bad options and keys and inputs that are not JSON reject the ask, and throw nothing amid others", async () => {
  const { asked, ask } = asking();
  const untyped = (value: unknown): never => value as never;
  await assert.rejects(
    ask(counter, "k", untyped({ timeot: 1 })).get(),
    /^VodaError: ctx\.ask\(counter, "k"\)\.get: ask option "timeot" is unknown/,
  );
  await assert.rejects(
    ask(counter, "k", { timeout: "2h" }).get(),
    (error) => VodaError.is(error) && error.reason === "bad_request",
  );
  for (const key of ["", "k".repeat(257), untyped(1)])
    await assert.rejects(
      ask(counter, key).get(),
      (error) => VodaError.is(error, "invalid_argument") && error.reason === "bad_request",
    );
  await assert.rejects(
    async () => ask(counter, "k").add(untyped(1n)),
    (error) => VodaError.is(error, "invalid_argument"),
  );
  assert.deepEqual(asked, []);
});

test("a second input is refused, which would be dropped", async () => {
  const { asked, ask } = asking();
  const add: (...inputs: number[]) => Promise<number> = ask(counter, "k").add;
  await assert.rejects(add(1, 2), /a call takes one input, not 2: put them into an object/);
  assert.deepEqual(asked, []);
});

test("a refused ask says which of several it was", async () => {
  const { ask } = asking();
  const { failed } = await gather([ask(counter, "a").get(), ask(counter, "").add(1)], { min: 2 });
  assert.deepEqual(
    failed.map(({ message }) => message),
    ['ctx.ask(counter, "").add: the key is empty; it must have 1 to 256 bytes'],
  );
});

test("what is no agent, and what is no method's name, is refused before anything is asked", async () => {
  const { asked, ask } = asking();
  const isRefused = (error: unknown): boolean =>
    VodaError.is(error, "invalid_argument") && error.reason === "bad_request";
  const strange = ["counter", undefined, null, 7, {}, { name: "Counter" }, { name: undefined }, { name: "" }];
  const asOne = (one: unknown): typeof counter => one as typeof counter;
  for (const one of strange) await assert.rejects(ask(asOne(one), "k").get(), isRefused, JSON.stringify(one));
  await assert.rejects(
    ask(asOne("counter"), "k").get(),
    /ctx.ask takes an agent first, as agent\(...\) makes it/,
  );
  const any: CalledAgent<Readonly<Record<string, () => null>>> = { name: "counter" };
  const session = ask(any, "k");
  for (const method of ["", "a/b", "\ud800", "x".repeat(70_000)])
    await assert.rejects(async () => session[method]?.(), isRefused);
  assert.deepEqual(asked, []);
});

test("the name of an agent is read once", async () => {
  const { asked, ask } = asking();
  let reads = 0;
  const changing = {
    get name() {
      reads += 1;
      return reads === 1 ? "counter" : "";
    },
  };
  const session = ask(changing as typeof counter, "k");
  await session.get();
  await session.get();
  assert.deepEqual(
    asked.map(({ agent: name }) => name),
    ["counter", "counter"],
  );
});
