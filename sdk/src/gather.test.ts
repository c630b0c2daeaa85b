import assert from "node:assert/strict";
import { test } from "node:test";
import { gather } from "../test/gather.ts";
import { VodaError } from "./index.ts";

const never = (): Promise<number> => new Promise(() => undefined);
const fails = async (message: string): Promise<number> => {
  throw new VodaError("aborted", message, { reason: "mine" });
};

test("all are waited for, and told in their order", async () => {
  const slow = Promise.withResolvers<number>();
  const gathered = gather([slow.promise, Promise.resolve(3)]);
  slow.resolve(1);
  assert.deepEqual(await gathered, { ok: [1, 3], failed: [], late: 0 });
});

test("the rest is late once enough have succeeded", async () => {
  const { ok, failed, late } = await gather([never(), Promise.resolve(2), fails("no"), Promise.resolve(4)], {
    min: 2,
  });
  assert.deepEqual([ok, failed.map(({ reason }) => reason), late], [[2, 4], ["mine"], 1]);
});

test("nothing is waited for when too many have failed", async () => {
  const { ok, failed, late } = await gather([never(), fails("a"), fails("b")], { min: 2 });
  assert.deepEqual([ok, failed.map(({ message }) => message), late], [[], ["a", "b"], 1]);
});

test("the time ends it, and what comes later harms nobody", async () => {
  const slow = Promise.withResolvers<number>();
  const { ok, late } = await gather([slow.promise, Promise.resolve(1)], { timeout: 5 });
  assert.deepEqual([ok, late], [[1], 1]);
  slow.reject(new Error("too late"));
});

test("what is no VodaError becomes one", async () => {
  const { failed } = await gather([Promise.reject(new Error("bug"))]);
  assert.deepEqual(
    failed.map(({ code, message }) => [code, message]),
    [["internal", "bug"]],
  );
});

test("what rejects with something that has no text is a failure like others", async () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  for (const strange of [Object.create(null), proxy, Symbol("s"), undefined]) {
    const { failed } = await gather([Promise.reject(strange)]);
    assert.deepEqual(
      failed.map(({ code }) => code),
      ["internal"],
    );
  }
});

test("a thenable of somebody's own counts once, and may throw", async () => {
  const thenable = (then: (resolve: (value: number) => void) => void): never =>
    ({ ["THEN".toLowerCase()]: then }) as never;
  const twice = thenable((resolve) => {
    resolve(1);
    resolve(2);
  });
  const throws = thenable(() => {
    throw new Error("no");
  });
  const { ok, failed, late } = await gather<Promise<number>>([twice, throws]);
  assert.deepEqual([ok, failed.length, late], [[1], 1, 0]);
});

test("what is no list of calls is refused", async () => {
  const untyped = (value: unknown): never => value as never;
  const isRefused = (error: unknown): boolean => VodaError.is(error, "invalid_argument");
  for (const strange of [undefined, 7, {}, [7], [Promise.resolve(1), null]])
    await assert.rejects(gather(untyped(strange)), isRefused);
});

test("what is refused leaves no call to nobody, and says what to write", async (t) => {
  const strays: unknown[] = [];
  const stray = (reason: unknown): void => void strays.push(reason);
  process.on("unhandledRejection", stray);
  t.after(() => process.off("unhandledRejection", stray));
  const untyped = (value: unknown): never => value as never;
  await assert.rejects(gather([fails("a")], { min: 3 }), /min of 3 is not a whole number of 0 to 1/);
  await assert.rejects(gather(untyped(fails("b"))), /takes a list of calls, not one: write \[call\]/);
  await assert.rejects(gather([fails("c"), untyped(7)]), /item 1 of what ctx.gather takes is of type number/);
  await assert.rejects(
    gather([fails("d")], untyped({ quorum: 1 })),
    /ctx\.gather: option "quorum" is unknown/,
  );
  await new Promise((next) => setImmediate(next));
  assert.deepEqual(strays, []);
});

test("bad options are refused", async () => {
  const untyped = (value: unknown): never => value as never;
  await assert.rejects(gather([], { min: 1 }), /min of 1 is not a whole number of 0 to 0/);
  for (const options of [{ min: 0.5 }, { timeout: "soon" }, { quorum: 1 }])
    await assert.rejects(
      gather([never()], untyped(options)),
      (error) => VodaError.is(error, "invalid_argument") && error.message.startsWith("ctx.gather: "),
    );
  assert.deepEqual(await gather([]), { ok: [], failed: [], late: 0 });
});
