import assert from "node:assert/strict";
import { test } from "node:test";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { VodaError } from "./error.ts";
import { BrokenSchemaError } from "./issues.ts";
import { type RunRequest, runFunction } from "./run.ts";

/** Digits as a number. */
const digits: StandardSchemaV1<string, number> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) =>
      /^\d+$/.test(String(value)) ? { value: Number(value) } : { issues: [{ message: "no digits" }] },
  },
};
const untyped = (value: unknown): never => value as never;

function running() {
  const requests: RunRequest[] = [];
  const run = runFunction(async (request) => {
    requests.push(request);
  });
  const last = (): RunRequest => requests.at(-1) ?? assert.fail("nothing is to be done");
  return { requests, run, last };
}

test("what a step says of itself, and what holds where it says nothing", async () => {
  const { run, last } = running();
  const perform = (): number => 1;
  await run("charge", perform);
  const { check, ...plain } = last();
  assert.deepEqual(plain, {
    way: "ctx.run",
    name: "charge",
    perform,
    idempotencyKey: undefined,
    attemptsMax: 1,
    attemptsChosen: undefined,
    delayMs: 100,
    delayMsMax: 10_000,
    timeoutMs: undefined,
  });
  assert.equal(check(7), 7);
  await run("a", perform, {
    retry: { attempts: 5, delay: "1s", maxDelay: "1m" },
    timeout: "2s",
    idempotencyKey: "k",
  });
  const { attemptsMax, delayMs, delayMsMax, timeoutMs, idempotencyKey } = last();
  assert.deepEqual(
    [attemptsMax, delayMs, delayMsMax, timeoutMs, idempotencyKey],
    [5, 1_000, 60_000, 2_000, "k"],
  );
});

test("what is no step is refused, and nothing is done", async () => {
  const { run, requests } = running();
  for (const name of ["", "x".repeat(129), "\ud800", 7])
    await assert.rejects(
      run(untyped(name), () => null),
      /^VodaError: ctx\.run: the name of a step, which comes first, (is a text of 1 to 128|has half a) character/,
    );
  await assert.rejects(run("a", untyped(null)), /ctx\.run\("a"\) takes a function that does it/);
  for (const [options, words] of [
    [{ timeuot: "1s" }, 'run option "timeuot" is unknown (did you mean timeout?)'],
    [{ retry: { times: 2 } }, 'retry option "times" is unknown'],
    [{ timeout: "soon" }, 'timeout of "soon" is not a duration'],
    [{ idempotencyKey: "" }, "an idempotencyKey is 1 to 255 characters"],
    [{ retry: { attempts: 101 } }, "attempts of 101 is not a whole number of 1 to 100"],
    [{ retry: { attempts: "3" } }, 'attempts of "3" is not a whole number of 1 to 100'],
    [{ retry: { delay: "2h" } }, 'delay of "2h" is out of range'],
    [{ timeout: 0 }, "timeout of 0 is out of range"],
    [null, "run options must be an object"],
  ] as const)
    await assert.rejects(
      run("a", () => null, untyped(options)),
      (error) =>
        VodaError.is(error, "invalid_argument") && error.message.startsWith(`ctx.run("a"): ${words}`),
    );
  assert.deepEqual(requests, []);
});

test("the schema of a result says what goes on, what does not fit, and its own slips", async () => {
  const { run, last } = running();
  await run("a", () => "7", { schema: digits });
  assert.equal(await last().check("7"), 7);
  await assert.rejects(
    async () => last().check({}),
    (error) =>
      VodaError.is(error, "internal") &&
      error.reason === "invalid_result" &&
      error.message.startsWith('ctx.run("a"): result: no digits'),
  );
  const broken = { "~standard": { version: 1, vendor: "test", validate: () => assert.fail("slip") } };
  await run("b", () => 1, { schema: untyped(broken) });
  await assert.rejects(async () => last().check(1), BrokenSchemaError);
});
