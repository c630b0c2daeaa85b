// What authors and callers of workflows get wrong, and how they are told.
import assert from "node:assert/strict";
import { test } from "node:test";
import { rejection } from "../test/shop.ts";
import { agent, signal, type VodaError } from "./index.ts";
import { testMesh } from "./testing.ts";

const untyped = (value: unknown): never => value as never;
const go = signal("go");
const word = signal<string>("word");

const desk = agent("desk")
  .workflows(
    {
      async log(wf) {
        await wf.wait(go);
        return "logged";
      },
      async pay(wf, _input: { cents: number }) {
        await wf.wait(go);
        return 1;
      },
    },
    { access: "public" },
  )
  .handlers({
    start: (ctx, { input, options }: { input?: string; options: object }) =>
      void ctx.start.log(untyped(input), untyped(options)),
    startDate: (ctx) => void ctx.start.pay(untyped({ cents: new Date(0) })),
    notify: (ctx, { id, what, data }: { id?: unknown; what?: unknown; data?: boolean }) =>
      void Reflect.apply(ctx.notify, undefined, [id, what, data === true ? new Map() : undefined]),
  });

const isBadRequest = ({ code, reason }: VodaError): void =>
  assert.deepEqual([code, reason], ["invalid_argument", "bad_request"]);

test("what a handler gets wrong with workflows is refused in words, with the call as it is written", async () => {
  await using mesh = await testMesh({ agents: [desk] });
  const session = mesh.client.desk("d");
  for (const [call, words] of [
    [
      () => session.start({ options: { idd: "x" } }),
      'ctx.start.log: start option "idd" is unknown (did you mean id?); known are id',
    ],
    [
      () => session.start({ options: { id: 5 } }),
      "ctx.start.log: the id of a workflow is a text of 1 to 128 characters; it is of type number",
    ],
    [() => session.startDate(), "ctx.start.pay: the input.cents is Date, which JSON does not have"],
    [
      () => session.notify({ id: { signal: "go" }, what: { signal: "go" } }),
      "ctx.notify: the id of a workflow is a text of 1 to 128 characters; it is of type object",
    ],
    [
      () => session.notify({ id: "x", what: "go" }),
      'ctx.notify: it takes a signal, as signal("name") makes it, not the text "go"',
    ],
    [() => session.notify({ id: "x", what: { signal: "word" }, data: true }), "ctx.notify: the data is Map"],
  ] as const) {
    const error = await rejection(call());
    isBadRequest(error);
    assert.ok(error.message.startsWith(words), error.message);
  }
  const missing = await rejection(session.notify({ id: "p2", what: { signal: "go" } }));
  assert.equal(missing.reason, "workflow_not_found");
  assert.match(missing.message, /^ctx\.notify: the session has no workflow "p2"/);
});

/** What a body gets wrong, and what it rejects with. */
const slips: readonly (readonly [what: string, words: string])[] = [
  ["run", 'wf.run("a"): run option "undoo" is unknown (did you mean undo?); known are idempotencyKey, '],
  ["no options of run", 'wf.run("a"): run options must be an object'],
  ["retry", 'wf.run("a"): retry option "times" is unknown'],
  ["attempts", 'wf.run("a"): attempts of 0 is not a whole number of 1 to 100'],
  ["progress", 'wf.status: progress of "0.5" is not a number from 0 to 1'],
  ["tx", 'wf.tx("a"): tx option "unod" is unknown (did you mean undo?); known are undo'],
  ["wait", 'wf.wait("go"): wait option "timeuot" is unknown (did you mean timeout?); known are timeout'],
  ["time", 'wf.wait("go"): timeout of "forever" is not a duration'],
  ["signal", 'wf.wait: it takes a signal, as signal("name") makes it, not the text "go"'],
  ["sleep", 'wf.sleep("a") of "long" is not a duration'],
  ["abort", 'wf.sleep("a"): sleep options must be an object that has the AbortSignal: { signal }'],
  ["name", "wf.sleep: the name of a step, which comes first, is a text of 1 to 128 characters; it has 0"],
];

test("what a body gets wrong rejects, in words, with the step as it is written", async () => {
  const job = agent("job").workflows({
    async slip(wf, what: string) {
      const nothing = (): null => null;
      const acts: Readonly<Record<string, () => Promise<unknown>>> = {
        run: () => wf.run("a", nothing, untyped({ undoo: nothing })),
        "no options of run": () => wf.run("a", nothing, untyped(null)),
        retry: () => wf.run("a", nothing, untyped({ retry: { times: 3 } })),
        attempts: () => wf.run("a", nothing, { retry: { attempts: 0 } }),
        progress: async () => wf.status("half", untyped("0.5")),
        tx: () => wf.tx("a", nothing, untyped({ unod: nothing })),
        wait: () => wf.wait(go, untyped({ timeuot: "1s" })),
        time: () => wf.wait(go, { timeout: untyped("forever") }),
        signal: () => wf.wait(untyped("go")),
        sleep: () => wf.sleep("a", untyped("long")),
        abort: () => wf.sleep("a", "1s", untyped(wf.signal)),
        name: () => wf.sleep("", "1s"),
      };
      await acts[what]?.();
    },
  });
  await using mesh = await testMesh({ agents: [job] });
  const { slip } = mesh.workflows(job, "j");
  for (const [what, words] of slips) {
    const run = await slip.start(what);
    await mesh.settle();
    const error = await rejection(run.result());
    isBadRequest(error);
    assert.ok(error.message.startsWith(words), `${what}: ${error.message}`);
  }
});

test("what a client gets wrong is refused in words before anything is sent", async () => {
  await using mesh = await testMesh({ agents: [desk] });
  const { log, pay } = mesh.client.desk("d").$workflows;
  const run = await log.start(undefined, { id: "n1" });
  for (const [call, words] of [
    [
      () => log.start(undefined, untyped({ ID: "x" })),
      '$workflows.log.start: start option "ID" is unknown (did',
    ],
    [() => pay.start(untyped({ cents: new Date(0) })), "$workflows.pay.start: the input.cents is Date"],
    [
      () => run.result(untyped({ timeout: "1s" })),
      'result of workflow log "n1": option "timeout" is unknown; known are signal',
    ],
    [
      () => run.result({ signal: untyped(5) }),
      'result of workflow log "n1": signal of type number is no AbortSignal: take',
    ],
    [() => run.result(untyped(null)), 'result of workflow log "n1": options must be an object'],
    [
      () => run.signal<undefined>(untyped("go")),
      'signal of workflow log "n1": it takes a signal, as signal("name")',
    ],
    [() => run.signal(word, untyped(new Date(0))), 'signal of workflow log "n1": the data is Date'],
    [
      async () => log.get(""),
      "$workflows.log.get: the id of a workflow is a text of 1 to 128 characters; it has 0",
    ],
  ] as const) {
    const error = await rejection(call());
    isBadRequest(error);
    assert.ok(error.message.startsWith(words), error.message);
  }
});

test("an id of a workflow of another name is not taken for one of this", async () => {
  await using mesh = await testMesh({ agents: [desk] });
  const { log, pay } = mesh.client.desk("d").$workflows;
  const started = await log.start(undefined, { id: "n1" });
  const mistaken = pay.get("n1");
  for (const call of [
    () => mistaken.status(),
    () => mistaken.result(),
    () => mistaken.cancel(),
    () => mistaken.signal(go),
  ]) {
    const { reason, message } = await rejection(call());
    assert.equal(reason, "workflow_not_found");
    assert.match(message, /^\w+ of desk\/d: "n1" is the id of a workflow log, not "pay"$/);
  }
  assert.equal((await rejection(pay.start({ cents: 1 }, { id: "n1" }))).reason, "workflow_exists");
  await started.signal(go);
  await mesh.settle();
  assert.equal(await log.get("n1").result(), "logged");
});

test("each handler of workflows takes what is its own, and a refusal says which it was", async () => {
  const many = Object.fromEntries(Array.from({ length: 25 }, (_, at) => [`w${at}`, async () => at]));
  const crowd = agent("crowd").workflows(many, { access: "public" });
  await using mesh = await testMesh({ agents: [crowd] });
  const post = async (method: string, input: unknown) => {
    const answer = await mesh.fetch(`http://mesh/agents/crowd/c/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(input),
    });
    return ((await answer.json()) as { message: string }).message;
  };
  const names = Array.from({ length: 20 }, (_, at) => `w${at}`).join(", ");
  for (const [method, input, words] of [
    ["startWorkflow", {}, `"workflow" is the name of one of the agent; it has: ${names} and 5 more`],
    [
      "startWorkflow",
      { workflow: "w9x" },
      /^the agent has no workflow "w9x" \(did you mean w9\?\); it has: .* and 5 more$/,
    ],
    [
      "startWorkflow",
      { workflow: "w1", idd: "x" },
      '"idd" is unknown (did you mean id?); known are workflow, id, input',
    ],
    ["startWorkflow", { workflow: "w1", signal: "go" }, '"signal" is unknown; known are workflow, id, input'],
    ["startWorkflow", 5, "the input is an object with workflow, id, input"],
    ["signalWorkflow", { id: "x", input: 1 }, '"input" is unknown; known are id, signal, data, workflow'],
    ["signalWorkflow", { id: "x" }, '"signal" is a text of 1 to 128 characters; it is of type undefined'],
    ["cancelWorkflow", { id: "x", input: 1 }, '"input" is unknown; known are id, workflow'],
    ["cancelWorkflow", { id: "" }, "the id of a workflow is a text of 1 to 128 characters; it has 0"],
    ["workflowStatus", { id: "p2" }, 'the session has no workflow "p2"'],
  ] as const) {
    const message = await post(method, input);
    const [way, rest] = [message.slice(0, message.indexOf(": ")), message.slice(message.indexOf(": ") + 2)];
    assert.equal(way, `${method} of crowd/c`);
    if (typeof words === "string") assert.ok(rest.startsWith(words), rest);
    else assert.match(rest, words);
  }
});

test("clients do with workflows what their access says, and agents do all of it", async () => {
  const body = { work: async (wf: { wait(what: typeof word): Promise<string> }) => wf.wait(word) };
  const open = agent("open").workflows(body, { access: "public" });
  const seen = agent("seen").workflows(body);
  const hidden = agent("hidden").workflows(body, { access: "internal" });
  const boss = agent("boss").handlers({
    async all(ctx) {
      for (const one of [open, seen, hidden]) {
        await ctx.ask(one, "k").startWorkflow({ workflow: "work", id: "w" });
        ctx.send(one, "k").signalWorkflow({ id: "w", signal: "word", data: "done" });
      }
    },
  });
  await using mesh = await testMesh({ agents: [open, seen, hidden, boss] });
  await mesh.client.boss("b").all();
  await mesh.settle();
  const reached = async (name: string): Promise<string[]> => {
    const ways: string[] = [];
    for (const method of ["startWorkflow", "signalWorkflow", "cancelWorkflow", "workflowStatus"]) {
      const { status } = await mesh.fetch(`http://mesh/agents/${name}/k/${method}`, {
        method: "POST",
        body: '{"id":"w"}',
        headers: { "content-type": "application/json" },
      });
      if (status !== 404) ways.push(method);
    }
    return ways;
  };
  const all = ["startWorkflow", "signalWorkflow", "cancelWorkflow", "workflowStatus"];
  assert.deepEqual(
    [await reached("open"), await reached("seen"), await reached("hidden")],
    [all, ["workflowStatus"], []],
  );
  assert.equal(await mesh.client.open("k").$workflows.work.get("w").result(), "done");
  assert.equal(await mesh.client.seen("k").$workflows.work.get("w").result(), "done");
  assert.equal(await mesh.workflows(hidden, "k").work.get("w").result(), "done");
});

test("options of a block of workflows are checked, and stand at the first", () => {
  const none = agent("none");
  assert.throws(
    () => none.workflows({}, untyped(null)),
    /^TypeError: agent none: workflows: options must be an object$/,
  );
  assert.throws(
    () => none.workflows({}, untyped({ acess: "public" })),
    /^TypeError: agent none: workflows: option "acess" is unknown \(did you mean access\?\); known are access$/,
  );
  assert.throws(
    () => none.workflows({}, untyped({ access: "private" })),
    /^TypeError: agent none: workflows: access of "private" is none of public, readonly, internal$/,
  );
  assert.throws(
    // @ts-expect-error the types refuse it too
    () => none.workflows({}).workflows({}, { access: "public" }),
    /^TypeError: agent none: workflows: options stand at the first block, for those of all$/,
  );
});
