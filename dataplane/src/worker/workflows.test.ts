import assert from "node:assert/strict";
import { test } from "node:test";
import { openState, type SessionState } from "@voda/state";
import { VodaError, type WorkflowBody, type WorkflowTurn } from "voda/definition";
import { type Answer, fail } from "../call/index.ts";
import { bodiesMax, workflowStartsMax } from "./workflow-bounds.ts";
import { Rows } from "./workflow-rows.ts";
import { Workflows } from "./workflows.ts";
import { type ThreadWorld, threadWorld } from "./world.ts";

const maps = { _workflows: { kind: "map" }, _journal: { kind: "map" } } as const;
const name = { namespace: "default", agent: "shop", key: "a" };
const log = { say: () => undefined, print: () => undefined };
const done: Answer = { ok: true, content: "json", body: new Uint8Array(0) };
/** Its timers are due at once. */
const hurried: ThreadWorld = {
  ...threadWorld,
  after(_ms, act) {
    const timer = setImmediate(act);
    return () => clearImmediate(timer);
  },
};
const loopTick = () => new Promise((resolve) => setImmediate(resolve));

interface OwnCallOf {
  readonly what: object;
  readonly answer: (answer: Answer) => void;
}

/** Does all that is wanted until nothing more is. */
async function settled(calls: OwnCallOf[], turn: (what: object) => void): Promise<void> {
  for (let at = 0, idle = 0; idle < 5; await loopTick()) {
    const call = calls[at];
    idle = call === undefined ? idle + 1 : 0;
    if (call === undefined) continue;
    at += 1;
    turn(call.what);
    call.answer(done);
  }
  calls.length = 0;
}

/** What is committed of a workflow. */
const rowsOf = (state: SessionState) => (id: string) => {
  const scope = state.view();
  const row = new Rows(scope.state).get(id);
  scope.close();
  return row;
};

/** One activation after the other over one state; what they want called is done by the test. */
function session(body: WorkflowBody) {
  const state = openState(maps, { crc32: () => 0 }, undefined);
  /** `revision`: the body of another one; `undefined`: it has none. */
  const open = (
    revision: WorkflowBody | undefined = body,
    world: ThreadWorld = threadWorld,
    named = "job",
  ) => {
    const calls: OwnCallOf[] = [];
    const workflows = new Workflows<object>({
      name,
      bodies: new Map([[named, revision]]),
      world,
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
    const start = (id = "w") => inTurn((of) => void of.start({ workflow: named, id, input: undefined }));
    const status = (id = "w") => {
      const scope = state.view();
      const ctx = { state: scope.state, caller: { subject: "" } };
      const found = workflows.turnOf(ctx, ctx).status(id);
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
    const settle = () => settled(calls, turn);
    return { workflows, calls, turn, inTurn, start, status, settle, until, rowOf: rowsOf(state) };
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
  }, hurried);
  second.inTurn((of) => void of.cancel("w"));
  const { error } = await second.until("cancelled");
  assert.equal(
    error?.message,
    'workflow "w" was cancelled; step "two" was not undone: this revision does not know how',
  );
  assert.deepEqual(undone, ["one"]);
});

test("one that had no place at first is begun as the others are: its beginning is written", async () => {
  const open = session(() => new Promise(() => undefined));
  const first = open();
  const ids = Array.from({ length: bodiesMax + 2 }, (_, at) => `w${at}`);
  for (const id of ids) first.start(id);
  first.workflows.close();
  const second = open(undefined, threadWorld, "other");
  await second.settle();
  assert.deepEqual(
    ids.map((id) => second.status(id).phase),
    ids.map(() => "waiting"),
  );
  second.workflows.close();
  let left: (() => void) | undefined;
  const third = open((wf) =>
    left === undefined
      ? new Promise<void>((resolve) => (left = resolve))
      : (wf as Wf).run("never", () => new Promise(() => undefined)),
  );
  await third.settle();
  left?.();
  await third.settle();
  const phases = ids.map((id) => third.status(id).phase);
  assert.equal(phases.filter((phase) => phase === "waiting").length, 1, "for it there is no place yet");
  assert.equal(phases.filter((phase) => phase === "running").length, bodiesMax);
  assert.deepEqual(
    ids.filter((id) => third.status(id).phase === "running").map((id) => third.rowOf(id)?.openings ?? 0),
    Array.from({ length: bodiesMax }, () => 2),
  );
});

test("turns that are lost in one memory are no ends of it: the body is run again, later and later", async () => {
  let runs = 0;
  const pauses: number[] = [];
  const after: ThreadWorld["after"] = (ms, act) => {
    if (ms >= 1_000) pauses.push(ms);
    const timer = setImmediate(act);
    return () => clearImmediate(timer);
  };
  const open = session(async (wf) => {
    runs += 1;
    await (wf as Wf).run("s", () => 1);
  });
  const { calls, turn, start, status, rowOf, until } = open(undefined, { ...threadWorld, after });
  start();
  for (let at = 0; at < 3 * workflowStartsMax; at += 1) {
    for (let tick = 0; tick < 3 && calls.length < 1; tick += 1) await loopTick();
    const load = calls.shift();
    assert.ok(load);
    turn(load.what);
    load.answer(done);
    for (let tick = 0; tick < 5; tick += 1) await loopTick();
    calls.shift()?.answer(fail("store_away", "away"));
    await loopTick();
    turn({ tick: true });
  }
  assert.deepEqual([status().phase, rowOf("w")?.starts], ["running", 0]);
  assert.equal(runs, 3 * workflowStartsMax);
  assert.deepEqual(pauses.slice(0, 4), [1_000, 2_000, 4_000, 8_000]);
  assert.equal((await until("done")).phase, "done");
});

test("the pause before a body ends with its activation", async () => {
  const timers = new Set<object>();
  const after: ThreadWorld["after"] = (ms, act) => {
    const timer = { ms, act };
    timers.add(timer);
    return () => void timers.delete(timer);
  };
  const open = session(() => new Promise(() => undefined));
  open().start();
  for (let at = 0; at < 2; at += 1) {
    const again = open(undefined, { ...threadWorld, after });
    await again.settle();
    again.workflows.close();
    assert.deepEqual(
      [...timers].filter((timer) => "ms" in timer && timer.ms !== 0),
      [],
    );
  }
});
