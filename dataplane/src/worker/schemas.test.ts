// Schemas are code of the agent's own: what their slips do to the call, and to the calls after it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { agent, s, VodaError } from "voda";
import { activationRig, until } from "../../test/activation-rig.ts";

type Answer = { readonly value: unknown } | { readonly issues: readonly { readonly message: string }[] };

const schema = (validate: (value: unknown) => Answer | Promise<Answer>) =>
  ({ "~standard": { version: 1, vendor: "test", validate } }) as const;
const issues = Array.from({ length: 1_000_000 }, (_, i) => ({ message: `${i} is wrong` }));
const refuse = (): never => {
  throw new VodaError("failed_precondition", "none left", { reason: "sold_out" });
};

const shop = agent("shop", { count: s.counter() }, { maxTurn: "50ms" })
  .handler("throws", { input: schema(() => assert.fail("a secret")) }, () => assert.fail("it ran"))
  .handler("rejects", { input: schema(async () => assert.fail("a secret")) }, () => assert.fail("it ran"))
  .handler("hangs", { input: schema(() => new Promise(() => undefined)) }, () => assert.fail("it ran"))
  .handler("refuses", { input: schema(refuse) }, () => assert.fail("it ran"))
  .handler("finds", { input: schema(() => ({ issues })) }, () => assert.fail("it ran"))
  .handlers({ add: (ctx, by: number) => ctx.state.count.add(by) });

for (const method of ["throws", "rejects"])
  test(`a schema that ${method} is told as itself, and the session goes on`, async () => {
    const { run, value, reason, message, said, logged, facts } = activationRig(shop);
    const broken = run(method, 1);
    await until(() => said.length === 1);
    assert.equal(reason(broken), "internal");
    assert.match(
      message(broken),
      /^agent shop: handler "(throws|rejects)": input: the schema threw an AssertionError; the log of node n1 has it/,
    );
    assert.match(logged[0] ?? "", /^schema failed: .*input: the schema threw; cause: .*a secret/);
    assert.match(JSON.stringify(facts), /"level":"error"/);
    assert.equal(value(run("add", 1)), 1);
  });

test("an error that a schema throws on purpose is no handler's", () => {
  const { run, reason, logged } = activationRig(shop);
  assert.equal(reason(run("refuses", 1)), "sold_out");
  assert.deepEqual(logged, ["input refused: none left"]);
});

test("a schema that never answers ends with its turn, and the session goes on", async () => {
  const { run, value, reason, said } = activationRig(shop);
  const hung = run("hangs", 1);
  await until(() => said.length === 1);
  assert.equal(reason(hung), "turn_timeout");
  assert.equal(value(run("add", 1)), 1);
});

test("of a million issues the first ones are told, and how many there are", () => {
  const { run, failureOf, logged } = activationRig(shop);
  const { reason, message, metadata } = failureOf(run("finds", 1));
  assert.equal(reason, "invalid_input");
  assert.match(message, /^input: 0 is wrong; .*; input: 7 is wrong; and 999992 more$/);
  assert.match(logged[0] ?? "", /^input refused: input: 0 is wrong/);
  assert.equal(JSON.parse(metadata?.["issues"] ?? "").length, 8);
});
