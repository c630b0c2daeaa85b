import assert from "node:assert/strict";
import { test } from "node:test";
import { turnBytesMax } from "@voda/proto/wire";
import { openState } from "@voda/state";
import { VodaError } from "voda/definition";
import { stepBytesMax } from "../call/index.ts";
import { Book, type BookParts } from "./workflow-book.ts";
import {
  rowBytesMax,
  signalsKeptMax,
  workflowBytesMax,
  workflowStartsMax,
  workflowStepsMax,
  workflowsEndedMax,
  workflowsMax,
  workflowTimesMax,
} from "./workflow-bounds.ts";
import { Rows } from "./workflow-rows.ts";

const maps = { _workflows: { kind: "map" }, _journal: { kind: "map" } } as const;

/** Books of one session, each of them a turn; `timers` are those that are set. */
function session(workflows: readonly string[] = ["job"]) {
  const state = openState(maps, { crc32: () => 0 }, undefined);
  const timers = new Map<string, unknown>();
  let now = 1;
  const parts: Omit<BookParts, "state"> = {
    workflows: { has: (name) => workflows.includes(name), keys: () => workflows.values() },
    nowMs: () => now++,
    uuid: () => `id-${now}`,
    seed: () => String(now),
    timer: (id, due) => (due.type === "never" ? timers.delete(id) : timers.set(id, due)),
  };
  const turn = <T>(act: (book: Book, state: object) => T): T => {
    const scope = state.begin();
    try {
      const book = new Book({ ...parts, state: scope.state });
      const result = act(book, scope.state);
      scope.commit(1, 10_000_000);
      return result;
    } catch (error) {
      scope.rollback();
      throw error;
    }
  };
  const read = <R>(of: (view: object) => R): R => {
    const view = state.view();
    const result = of(view.state);
    view.close();
    return result;
  };
  const totals = () => read((view) => new Rows(view).totals);
  return { turn, timers, totals, read };
}

const reasonOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    assert.ok(VodaError.is(error), String(error));
    // a bound says what to do
    if (error.code === "resource_exhausted") assert.match(error.message, /Max \d+; \w/);
    return error.reason;
  }
  return "taken";
};
const start = (id: string) => (book: Book) => book.start({ workflow: "job", id, input: undefined });

test("the timer that has somebody look is there exactly while a body is wanted", () => {
  const { turn, timers } = session();
  turn(start("a"));
  turn(start("b"));
  assert.deepEqual([...timers], [["_workflows", { type: "every", ms: 4_000 }]]);
  turn((book) => book.wait("a", "~go 1", { signal: "go" }));
  assert.equal(
    turn((book) => book.park("a", ["~go 1"])),
    true,
  );
  assert.equal(timers.size, 1);
  turn((book) => book.end("b", { phase: "done" }));
  assert.deepEqual([...timers], []);
  turn((book) => book.signal({ id: "a", signal: "go", data: undefined }));
  assert.deepEqual([...timers.keys()], ["_workflows"]);
  turn((book) => book.cancel("a"));
  turn((book) => book.end("a", { phase: "cancelled" }));
  assert.deepEqual([...timers], []);
});

test("a wait with a time has a timer, which goes with the signal, and one that is late does nothing", () => {
  const { turn, timers } = session();
  turn(start("a"));
  const due = { type: "in", ms: 5 } as const;
  turn((book) => book.wait("a", "~go 1", { signal: "go", due }));
  turn((book) => book.park("a", ["~go 1"]));
  assert.equal(timers.size, 1);
  const happened = turn((book) => {
    book.signal({ id: "a", signal: "go", data: "yes" });
    return book.happened;
  });
  assert.deepEqual(happened, [
    { type: "entered", id: "a", place: 0, entry: { step: "~go 1", result: "yes" } },
  ]);
  assert.deepEqual([...timers.keys()], ["_workflows"]);
  assert.deepEqual(
    turn((book) => {
      book.due("a", "~go 1");
      return book.happened;
    }),
    [],
  );
});

test("one that is parked while something comes is not parked", () => {
  const { turn } = session();
  turn(start("a"));
  turn((book) => book.wait("a", ".rest", { due: { type: "in", ms: 5 } }));
  turn((book) => book.due("a", ".rest"));
  assert.equal(
    turn((book) => book.park("a", [".rest"])),
    false,
  );
});

test("what it waited for when it ran before keeps its time, whether its body has come to it again or not", () => {
  const { turn, timers } = session();
  const due = { type: "in", ms: 5 } as const;
  turn(start("a"));
  turn((book) => book.wait("a", ".rest", { due }));
  turn((book) => book.wait("a", "~go 1", { signal: "go" }));
  turn((book) => book.park("a", ["~go 1"]));
  assert.equal(timers.size, 1);
  turn((book) => book.wait("a", ".rest", { due: { type: "in", ms: 7 } }));
  assert.deepEqual([...timers.values()], [due]);
});

test("every bound is refused with a reason, and what was before stays", () => {
  const { turn, totals } = session();
  for (let at = 0; at < workflowsMax; at += 1) turn(start(`w${at}`));
  assert.equal(
    reasonOf(() => turn(start("more"))),
    "workflows_full",
  );
  assert.equal(totals().live, workflowsMax);
  assert.equal(
    reasonOf(() => turn((book) => book.start({ workflow: "jop", id: "x", input: 1 }))),
    "workflow_not_found",
  );
  const large = "x".repeat(stepBytesMax);
  assert.equal(
    reasonOf(() => turn((book) => book.append("w0", { step: ".s", result: large }))),
    "too_large",
  );
  assert.equal(
    reasonOf(() => turn((book) => book.signal({ id: "w0", signal: "s", data: large }))),
    "too_large",
  );
  for (let at = 0; at < signalsKeptMax; at += 1)
    turn((book) => book.signal({ id: "w0", signal: "s", data: at }));
  assert.equal(
    reasonOf(() => turn((book) => book.signal({ id: "w0", signal: "s", data: 1 }))),
    "workflows_full",
  );
  for (let at = 0; at < workflowStepsMax; at += 1) turn((book) => book.append("w1", { step: `.${at}` }));
  assert.equal(
    reasonOf(() => turn((book) => book.append("w1", { step: ".more" }))),
    "too_large",
  );
  assert.equal(
    reasonOf(() => turn((book) => book.wait("w1", ".more", {}))),
    "too_large",
  );
  turn((book) => book.cancel("w1"));
  turn((book) => book.append("w1", { step: "-0" })); // what is undone comes to its end
  assert.equal(
    reasonOf(() => turn((book) => book.signal({ id: "none", signal: "s", data: 1 }))),
    "workflow_not_found",
  );
  assert.equal(turn((book) => book.load("w0"))?.row.kept.length, signalsKeptMax);
});

test("what has ended makes room, the oldest first, and journals go with their workflow", () => {
  const { turn, totals } = session();
  const result = "x".repeat(stepBytesMax - 1_000);
  const fit = Math.floor(workflowBytesMax / stepBytesMax);
  for (let at = 0; at < fit; at += 1) {
    turn(start(`w${at}`));
    turn((book) => book.end(`w${at}`, { phase: "done", result }));
  }
  const { bytes } = totals();
  assert.ok(bytes <= workflowBytesMax && bytes > workflowBytesMax - 2 * stepBytesMax);
  turn(start("live"));
  for (let at = 0; at < 3; at += 1) turn((book) => book.append("live", { step: `.${at}`, result }));
  assert.equal(
    reasonOf(() => turn((book) => book.status("w0"))),
    "workflow_not_found",
  );
  assert.equal(turn((book) => book.status(`w${fit - 1}`)).phase, "done");
  for (let at = 3; at < fit - 1; at += 1) turn((book) => book.append("live", { step: `.${at}`, result }));
  assert.equal(
    reasonOf(() =>
      turn((book) => {
        book.append("live", { step: ".a", result });
        book.append("live", { step: ".b", result });
      }),
    ),
    "workflows_full",
  );
  turn((book) => book.end("live", { phase: "done" }));
  assert.ok(totals().bytes < 3 * stepBytesMax, "its journal is gone");
});

test("so many ends are kept, and a few more", () => {
  const { turn, totals } = session();
  for (let at = 0; at <= workflowsEndedMax; at += 1) {
    turn(start(`w${at}`));
    turn((book) => book.end(`w${at}`, { phase: "done" }));
  }
  assert.ok(totals().ended < workflowsEndedMax);
  assert.equal(turn((book) => book.status(`w${workflowsEndedMax}`)).phase, "done");
});

const begin = (isLost: boolean) => (book: Book) => book.begin("a", isLost);

test("a body with which threads end again and again fails, once what it did was to be undone, and one that gets on does not", () => {
  const { turn } = session();
  turn(start("a"));
  for (let at = 1; at < workflowStartsMax; at += 1) assert.ok(turn(begin(true)));
  turn((book) => book.append("a", { step: ".s" }));
  for (let at = 1; at < workflowStartsMax; at += 1) assert.ok(turn(begin(true)));
  assert.equal(turn(begin(true))?.row.undoing?.error.reason, "worker_lost");
  for (let at = 1; at < workflowStartsMax; at += 1) assert.ok(turn(begin(true)));
  assert.equal(turn(begin(true)), undefined);
  const { phase, error } = turn((book) => book.status("a"));
  assert.deepEqual([phase, error?.reason], ["failed", "worker_lost"]);
  assert.match(error?.message ?? "", /; not all of it is undone: /);
});

test("a beginning after an orderly end is written, and counts for nothing", () => {
  const { turn, totals } = session();
  turn(start("a"));
  const seen = new Set<number>();
  for (let at = 0; at < 3 * workflowStartsMax; at += 1) {
    assert.equal(turn(begin(false))?.row.starts, 0);
    seen.add(turn((book) => book.load("a"))?.row.openings ?? 0);
  }
  assert.equal(
    seen.size,
    3 * workflowStartsMax,
    "each is a record, by which the next end is not an orderly one",
  );
  assert.equal(totals().running, 1);
});

/** All that the maps of a session hold, as JSON. */
const written = (view: object): number =>
  ["_workflows", "_journal"].reduce((sum, name) => {
    const map = Reflect.get(view, name) as ReadonlyMap<string, unknown>;
    const bytesIn = (one: unknown): number => Buffer.byteLength(JSON.stringify(one));
    return Array.from(map).reduce((all, [key, value]) => all + bytesIn(key) + bytesIn(value), sum);
  }, 0);

test("what is counted is what is written: names, waits, texts, times, signals, errors", () => {
  const { turn, totals, read } = session();
  const long = "\u6f22".repeat(120);
  turn((book) => book.start({ workflow: "job", id: "a", input: long }));
  const check = (what: string) => {
    const { bytes } = totals();
    const all = read(written);
    assert.ok(bytes >= all - 200 && bytes < 1.3 * all + 1_000, `${what}: ${bytes} counted of ${all}`);
  };
  for (let at = 0; at < 40; at += 1)
    turn((book) => book.wait("a", `~${at}${long}`, { signal: `${at}${long}` }));
  check("waits");
  turn((book) => book.say("a", long, 0.5));
  for (let at = 0; at < 20; at += 1) turn((book) => book.signal({ id: "a", signal: `s${long}`, data: at }));
  check("signals");
  for (let at = 0; at < 20; at += 1)
    turn((book) => {
      book.clock(
        "a",
        Array.from({ length: 100 }, () => 1_767_225_600_000),
      );
      book.append("a", { step: `.${at}${long}`, result: at });
    });
  check("entries and times");
  turn((book) => book.end("a", { phase: "failed", error: { code: "aborted", reason: "x", message: long } }));
  check("an end");
  assert.ok(totals().bytes < 2_500);
});

test("names and waits come up against the bound of all workflows, and what is undone does not", () => {
  const { turn, totals } = session();
  const name = (at: number): string => `${at} ${"\u6f22".repeat(110)}`;
  turn(start("undone"));
  turn((book) => book.append("undone", { step: ".s", undo: true }));
  const input = "x".repeat(stepBytesMax - 10);
  for (let at = 0; at * stepBytesMax < workflowBytesMax - 2 * stepBytesMax; at += 1)
    turn((book) => book.start({ workflow: "job", id: `full${at}`, input }));
  const fill = (): void => {
    for (let id = 0; id < 1_000; id += 1) {
      turn(start(`w${id}`));
      for (let at = 0; at < 50; at += 1)
        turn((book) => book.wait(`w${id}`, `~${name(at)}`, { signal: name(at) }));
    }
  };
  assert.equal(reasonOf(fill), "workflows_full");
  assert.ok(totals().bytes <= workflowBytesMax);
  assert.equal(
    reasonOf(() => turn((book) => book.makeReady("undone", 0))),
    "workflows_full",
    "nothing is done outside that has no place",
  );
  turn((book) => book.cancel("undone"));
  assert.equal(
    turn((book) => book.isReady("undone", 0)),
    true,
  );
  turn((book) => book.append("undone", { step: "-s" }));
  turn((book) => book.end("undone", { phase: "cancelled" }));
});

test("a row has a bound of its own: what a turn writes beside it has room", () => {
  assert.ok(rowBytesMax + 2 * stepBytesMax + workflowTimesMax * 14 + 64 * 1_024 < turnBytesMax);
  const { turn } = session();
  turn((book) => book.start({ workflow: "job", id: "a", input: "x".repeat(stepBytesMax - 2) }));
  const wait = (at: number): void => {
    const name = `${at}${"\u6f22".repeat(120)}`;
    turn((book) => book.wait("a", `~${name} 1`, { signal: name }));
  };
  const all = (): void => {
    for (let at = 0; at < workflowStepsMax; at += 1) wait(at);
  };
  assert.equal(reasonOf(all), "too_large");
});

test("a workflow whose name is gone waits, is looked for, and ends when it is cancelled", () => {
  const names = ["job"];
  const { turn, timers } = session(names);
  turn(start("a"));
  names[0] = "other";
  turn((book) => book.lay("a"));
  assert.deepEqual(
    turn((book) => book.wanted()),
    [],
  );
  assert.deepEqual([...timers.keys()], ["_workflows laid"]);
  timers.clear();
  turn((book) => book.awaitRevision());
  assert.deepEqual([...timers.keys()], ["_workflows laid"]);
  names[0] = "job";
  assert.deepEqual(
    turn((book) => book.wanted()),
    ["a"],
  );
  names[0] = "other";
  turn((book) => book.cancel("a"));
  turn((book) => book.lay("a"));
  assert.match(
    turn((book) => book.status("a")).error?.message ?? "",
    /nothing was undone: this revision has no workflow job/,
  );
});

test("one that a revision lacked while it waited goes on with the next that has it, and is not run for nothing after", () => {
  const names = ["job"];
  const { turn } = session(names);
  const wanted = () => turn((book) => book.wanted());
  turn(start("a"));
  turn((book) => book.wait("a", "~go 1", { signal: "go" }));
  names[0] = "other";
  turn((book) => book.lay("a"));
  assert.deepEqual(wanted(), []);
  names[0] = "job";
  assert.deepEqual(wanted(), ["a"], "its body may do a step beside its wait");
  turn((book) => book.begin("a", false));
  turn((book) => book.park("a", ["~go 1"]));
  assert.deepEqual(wanted(), []);
});

test("one that a revision lacked before rows had a mark for it is found by what it waits for", () => {
  const { turn } = session();
  turn(start("a"));
  turn((book) => book.lay("a"));
  turn((_book, state) => {
    const rows = new Rows(state);
    const { isLaid: _, ...before } = rows.get("a") ?? assert.fail();
    rows.put("a", before);
  });
  assert.deepEqual(
    turn((book) => book.wanted()),
    ["a"],
  );
});

const due = { type: "in", ms: 5 } as const;
const entriesOf = (id: string) => (book: Book) =>
  book.load(id)?.entries.map(({ step, result, fault }) => [step, result ?? fault?.reason]);

test("a step that has its entry does not wait again, and takes no signal more", () => {
  const { turn } = session();
  turn(start("a"));
  turn((book) => book.wait("a", "~go 1", { signal: "go" }));
  for (const data of [1, 2]) turn((book) => book.signal({ id: "a", signal: "go", data }));
  turn((book) => book.wait("a", "~go 1", { signal: "go" }));
  assert.deepEqual(turn(entriesOf("a")), [["~go 1", 1]]);
  turn((book) => book.wait("a", "~go 2", { signal: "go" }));
  assert.deepEqual(turn(entriesOf("a")), [
    ["~go 1", 1],
    ["~go 2", 2],
  ]);
});

test("times of calls end with the signal without entries, and the wait with the last of them", () => {
  const { turn, timers } = session();
  for (const id of ["come", "over"]) {
    turn(start(id));
    turn((book) => book.wait(id, "~go 1", { signal: "go" }));
    for (const at of [1, 2]) turn((book) => book.wait(id, `!go 1 ${at}`, { of: "~go 1", due }));
    assert.deepEqual(turn((book) => book.status(id)).waitsFor, ["go"]);
  }
  assert.equal(timers.size, 5);
  turn((book) => book.due("over", "!go 1 2"));
  assert.deepEqual(turn((book) => book.status("over")).waitsFor, ["go"]);
  turn((book) => book.due("over", "!go 1 1"));
  assert.deepEqual(turn((book) => book.status("over")).waitsFor, []);
  for (const id of ["come", "over"]) turn((book) => book.signal({ id, signal: "go", data: 1 }));
  assert.deepEqual([...timers.keys()], ["_workflows"]);
  assert.deepEqual(turn(entriesOf("come")), [["~go 1", 1]]);
  assert.deepEqual(turn(entriesOf("over")), [
    ["!go 1 2", "wait_timeout"],
    ["!go 1 1", "wait_timeout"],
  ]);
  turn((book) => book.wait("come", "!go 1 3", { of: "~go 1", due }));
  assert.deepEqual([...timers.keys()], ["_workflows"], "a call waits no longer than its signal");
});

test("what came for a wait that is left is kept before all others, and its entry is nobody's", () => {
  const { turn, totals, read } = session();
  turn(start("a"));
  turn((book) => book.wait("a", "~go 1", { signal: "go" }));
  for (const data of [1, 2]) turn((book) => book.signal({ id: "a", signal: "go", data }));
  const fault = { code: "canceled", reason: "aborted", message: "left" } as const;
  turn((book) => book.leave("a", { step: "!go 1 1", fault, wait: { step: "~go 1", signal: "go" } }));
  turn((book) => book.wait("a", "~go 2", { signal: "go" }));
  turn((book) => book.wait("a", "~go 3", { signal: "go" }));
  assert.deepEqual(turn(entriesOf("a")), [
    ["~", undefined],
    ["!go 1 1", "aborted"],
    ["~go 2", 1],
    ["~go 3", 2],
  ]);
  const { bytes } = totals();
  assert.ok(Math.abs(bytes - read(written)) < 200, `${bytes} counted of ${read(written)}`);
});

test("a row of before, whose wait has the time itself, is over by it", () => {
  const { turn, timers } = session();
  turn(start("a"));
  turn((book) => book.wait("a", "~go 1", { signal: "go", due }));
  turn((book) => book.due("a", "~go 1"));
  assert.deepEqual(turn(entriesOf("a")), [["~go 1", "wait_timeout"]]);
  assert.deepEqual([...timers.keys()], ["_workflows"]);
});
