import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionToken } from "@voda/proto/session";
import { nameRetryMs, namesWaitingMax, openNames } from "./names.ts";

const nameOf = (key: string) => ({ namespace: "default", agent: "counter", key });
const tokenOf = (key: string) => key as SessionToken;

/** A store that is away until it is said to be back. */
function rig() {
  const written: string[] = [];
  const failures: string[] = [];
  const state = { isAway: true, asked: 0 };
  const names = openNames({
    store: {
      publishName(_, { key }, isBorn) {
        state.asked += 1;
        if (state.isAway) return Promise.reject(new Error("away"));
        written.push(`${key} ${isBorn}`);
        return Promise.resolve();
      },
    },
    failed: (_, { key }, isLast) => failures.push(`${key} ${isLast}`),
  });
  const write = (key: string, isBorn = true) => names.write(tokenOf(key), nameOf(key), isBorn);
  return { names, written, failures, state, write };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("a name that the store did not take is written when it is back, that of an ended session is not", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { names, written, failures, state, write } = rig();
  using _ = names;
  for (const key of ["a", "ended", "b"]) write(key);
  write("woken", false);
  names.forget(tokenOf("ended"));
  await settled();
  assert.deepEqual(failures, ["a false", "b false", "woken false"]);
  for (let round = 1; round <= 3; round += 1) {
    t.mock.timers.tick(nameRetryMs);
    await settled();
    assert.equal(state.asked, 4 + round, "one attempt says that the store is away");
  }
  state.isAway = false;
  t.mock.timers.tick(nameRetryMs);
  await settled();
  assert.deepEqual(written, ["a true", "b true", "woken false"]);
  t.mock.timers.tick(10 * nameRetryMs);
  await settled();
  assert.equal(written.length, 3);
});

test("so many wait, and more are told as lost", async () => {
  const { names, failures, write } = rig();
  using _ = names;
  for (let at = 0; at <= namesWaitingMax; at += 1) write(`k${at}`);
  await settled();
  assert.deepEqual(failures.slice(-2), [`k${namesWaitingMax - 1} false`, `k${namesWaitingMax} true`]);
});
