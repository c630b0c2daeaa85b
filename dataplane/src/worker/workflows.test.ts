import assert from "node:assert/strict";
import { test } from "node:test";
import { openState } from "@voda/state";
import { VodaError, type WorkflowBody } from "voda/definition";
import { type Answer, fail } from "../call/index.ts";
import { Workflows } from "./workflows.ts";
import { threadWorld } from "./world.ts";

const maps = { _workflows: { kind: "map" }, _journal: { kind: "map" } } as const;
const name = { namespace: "default", agent: "shop", key: "a" };
const log = { say: () => undefined, print: () => undefined };
const done: Answer = { ok: true, content: "json", body: new Uint8Array(0) };
const turnOfLoop = () => new Promise((resolve) => setImmediate(resolve));

/** One activation after the other over one state; what they want called is done by the test. */
function session(body: WorkflowBody) {
  const state = openState(maps, { crc32: () => 0 }, undefined);
  const open = () => {
    const calls: { readonly what: object; readonly answer: (answer: Answer) => void }[] = [];
    const workflows = new Workflows<object>({
      name,
      bodies: new Map([["job", body]]),
      world: threadWorld,
      log,
      logWords: "the log has it",
      call: (_method, what) => new Promise((answer) => calls.push({ what, answer })),
      timer: () => undefined,
    });
    const view = state.view();
    workflows.open(view.state);
    view.close();
    /** A turn that is asked for `what`, as from that session. */
    const turn = (what: object, agent = { name: "shop", key: "a" }) => {
      const scope = state.begin();
      const ctx = { state: scope.state, caller: { subject: "", agent } };
      try {
        workflows.turnOf(ctx, ctx).perform(what);
      } catch (error) {
        scope.rollback();
        throw error;
      }
      scope.commit(1, 1_000_000);
      workflows.committed(ctx);
    };
    const start = () => {
      const scope = state.begin();
      const ctx = { state: scope.state, caller: { subject: "" } };
      workflows.turnOf(ctx, ctx).start({ workflow: "job", id: "w", input: undefined });
      scope.commit(1, 1_000_000);
      workflows.committed(ctx);
    };
    return { workflows, calls, turn, start };
  };
  return open;
}

test("a turn that an activation made which is over does nothing in the next, nor in the place of another", async () => {
  let runs = 0;
  const open = session(() => void (runs += 1));
  const first = open();
  first.start();
  const [left] = first.calls;
  assert.ok(left);
  first.workflows.close();
  const second = open();
  const [begin] = second.calls;
  assert.ok(begin);
  const isOfOthers = (error: unknown) => VodaError.is(error, "canceled");
  assert.throws(() => second.turn(left.what), isOfOthers);
  second.turn(begin.what);
  begin.answer(done);
  await turnOfLoop();
  assert.equal(runs, 1);
  assert.throws(() => second.turn(begin.what), isOfOthers, "once");
});

test("only the session itself goes on with its workflows", () => {
  const second = session(() => undefined)();
  for (const what of [{ tick: true }, { due: ["w", ".s"] }, { own: 1 }])
    assert.throws(
      () => second.turn(what, { name: "shop", key: "other" }),
      (error) => VodaError.is(error, "permission_denied"),
    );
});

test("a body whose turn is lost is dropped, and begun again with the next tick", async () => {
  let runs = 0;
  const open = session(() => void (runs += 1));
  const { calls, turn, start } = open();
  start();
  calls[0]?.answer(fail("store_away", "away"));
  await turnOfLoop();
  assert.equal(calls.length, 1);
  turn({ tick: true });
  const begin = calls[1];
  assert.ok(begin);
  turn(begin.what);
  begin.answer(done);
  await turnOfLoop();
  assert.equal(runs, 1);
});
