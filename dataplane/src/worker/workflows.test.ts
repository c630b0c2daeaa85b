import assert from "node:assert/strict";
import { test } from "node:test";
import { openState } from "@voda/state";
import { VodaError, type WorkflowBody, type WorkflowTurn } from "voda/definition";
import { type Answer, fail } from "../call/index.ts";
import { Workflows } from "./workflows.ts";
import { threadWorld } from "./world.ts";

const maps = { _workflows: { kind: "map" }, _journal: { kind: "map" } } as const;
const name = { namespace: "default", agent: "shop", key: "a" };
const log = { say: () => undefined, print: () => undefined };
const done: Answer = { ok: true, content: "json", body: new Uint8Array(0) };
const loopTick = () => new Promise((resolve) => setImmediate(resolve));

/** One activation after the other over one state; what they want called is done by the test. */
function session(body: WorkflowBody) {
  const state = openState(maps, { crc32: () => 0 }, undefined);
  /** `revision`: the body of another one. */
  const open = (revision = body) => {
    const calls: { readonly what: object; readonly answer: (answer: Answer) => void }[] = [];
    const workflows = new Workflows<object>({
      name,
      bodies: new Map([["job", revision]]),
      world: threadWorld,
      log,
      logName: "the log",
      isLost: true,
      call: (_method, what) => new Promise((answer) => calls.push({ what, answer })),
      timer: () => undefined,
    });
    const view = state.view();
    workflows.open(view.state);
    view.close();
    const inTurn = (act: (turn: WorkflowTurn) => void, agent = { name: "shop", key: "a" }) => {
      const scope = state.begin();
      const ctx = { state: scope.state, caller: { subject: "", agent } };
      try {
        act(workflows.turnOf(ctx, ctx));
      } catch (error) {
        scope.rollback();
        throw error;
      }
      scope.commit(1, 1_000_000);
      workflows.committed(ctx);
    };
    /** One that the host has called. */
    const turn = (what: object, agent?: { readonly name: string; readonly key: string }) =>
      inTurn((of) => of.perform(what), agent);
    const start = () => inTurn((of) => void of.start({ workflow: "job", id: "w", input: undefined }));
    const status = () => {
      const scope = state.view();
      const ctx = { state: scope.state, caller: { subject: "" } };
      const found = workflows.turnOf(ctx, ctx).status("w");
      scope.close();
      return found;
    };
    /** Does what is wanted until the workflow is in that phase. */
    const until = async (phase: string) => {
      for (let at = 0; status().phase !== phase; await loopTick()) {
        const call = calls[at];
        if (call === undefined) continue;
        at += 1;
        turn(call.what);
        call.answer(done);
      }
      return status();
    };
    return { workflows, calls, turn, inTurn, start, until };
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
  await loopTick();
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
  await loopTick();
  assert.equal(calls.length, 1);
  turn({ tick: true });
  const begin = calls[1];
  assert.ok(begin);
  turn(begin.what);
  begin.answer(done);
  await loopTick();
  assert.equal(runs, 1);
});

interface Wf {
  run(name: string, act: () => unknown, options?: object): Promise<unknown>;
  wait(signal: object): Promise<unknown>;
}

test("another revision: steps that were done give their results, new ones are done, a new name is a new step", async () => {
  const asked: string[] = [];
  const step = (wf: Wf, named: string, says = named) => wf.run(named, () => (asked.push(says), says));
  const open = session(async (wf) => {
    const w = wf as Wf;
    await step(w, "gone");
    await step(w, "kept");
    await step(w, "renamed");
    await w.wait({ signal: "go" });
  });
  const first = open();
  first.start();
  await first.until("waiting");
  first.workflows.close();
  const second = open(async (wf) => {
    const w = wf as Wf;
    const results = [
      await step(w, "new"),
      await step(w, "kept", "kept, and more"),
      await step(w, "renamed 2"),
    ];
    await w.wait({ signal: "go" });
    return results;
  });
  second.inTurn((of) => of.signal({ id: "w", signal: "go", data: undefined }));
  const { result } = await second.until("done");
  assert.deepEqual(result, ["new", "kept", "renamed 2"]);
  assert.deepEqual(asked, ["gone", "kept", "renamed", "new", "renamed 2"]);
});

test("another revision that lacks how to undo a step says so, and undoes the others", async () => {
  const undone: string[] = [];
  const step = (wf: Wf, named: string) => wf.run(named, () => named, { undo: () => void undone.push(named) });
  const open = session(async (wf) => {
    await step(wf as Wf, "one");
    await step(wf as Wf, "two");
    await (wf as Wf).wait({ signal: "go" });
  });
  const first = open();
  first.start();
  await first.until("waiting");
  first.workflows.close();
  const second = open(async (wf) => {
    await step(wf as Wf, "one");
    await (wf as Wf).wait({ signal: "go" });
  });
  second.inTurn((of) => void of.cancel("w"));
  const { error } = await second.until("cancelled");
  assert.equal(
    error?.message,
    'workflow "w" was cancelled; step "two" was not undone: this revision does not know how',
  );
  assert.deepEqual(undone, ["one"]);
});
