// A thread that is held, too large or broken: it ends, whoever it had is told, and the next one takes over.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { crc32 } from "node:zlib";
import { create } from "@bufbuild/protobuf";
import { AgentSchema } from "@voda/proto/api";
import { openState } from "@voda/state";
import { systemClock } from "@voda/stdx";
import { waitUntil } from "@voda/test/kit";
import pino from "pino";
import { plainCall } from "../../test/call.ts";
import type { Loss, SessionEvent } from "./index.ts";
import { openWorkers } from "./workers.ts";

const folder = mkdtempSync(join(tmpdir(), "voda-lives-"));
after(() => rmSync(folder, { recursive: true }));
/** While it is there, the bundle does not load. */
const flag = join(folder, "flag");
const bundle = join(folder, "lives.mjs");
writeFileSync(
  bundle,
  `import { agent, s } from "voda";
import { existsSync } from "node:fs";
if (existsSync(${JSON.stringify(flag)})) throw new Error("no model");
const kept = [];
const lives = agent("lives", { n: s.counter() }).handlers({
  run: () => 1,
  spin() {
    for (;;);
  },
  fill() {
    kept.push(Buffer.alloc(200 * 1024 * 1024, 1));
  },
  breakAll() {
    JSON.stringify = () => "{";
    console.log("said with what was replaced");
  },
  shiftsHead() {
    const { store } = Atomics;
    Atomics.store = (words, at, value) => store(words, at, at === 1 ? value + 4 : value);
    console.log("said with a head of its own");
    for (;;);
  },
  spoilsState(ctx) {
    const bytes = Object.getPrototypeOf(Uint8Array.prototype);
    const { set } = bytes;
    bytes.set = function (from, at) {
      const isState = from[0] === 0x76 && from[1] === 0x6f;
      return set.call(this, isState ? Uint8Array.from(from, (byte, i) => (i === 0 ? 0x56 : byte)) : from, at);
    };
    return ctx.state.n.add(1);
  },
  countsWrongly(ctx) {
    const { floor } = Math;
    Math.floor = (value) => floor(value) + 1;
    return ctx.state.n.add(1);
  },
  hidesHolder() {
    JSON.stringify = () => "5";
    for (;;);
  },
});
export default { agents: [lives, agent("other", {}).handlers({ run: () => 1 })] };
`,
);

const limitMs = 1_500;
const name = { namespace: "default", agent: "lives", key: "k" };
let numbers = 0;

async function rig() {
  const lines: string[] = [];
  const losses: Loss[] = [];
  const workers = openWorkers({
    node: "n1",
    log: pino({}, { write: (line: string) => void lines.push(line) }),
    onLost: (loss) => losses.push(loss),
    onRetire: () => Promise.resolve(),
    holdLimit: () => ({ ms: limitMs, name: "maxTurn" }),
    heapMib: 64,
  });
  await workers.deploy(create(AgentSchema, { namespace: "default", name: "lives", revision: "r1" }), bundle);
  const worker = workers.of(name)?.worker ?? assert.fail("it is deployed");
  /** A session, and what is heard of it. */
  const open = (activation: number, deltas: readonly Uint8Array[] = []) => {
    const heard: SessionEvent[] = [];
    const thread = worker.open(activation, { pages: [], deltas }, (event) => void heard.push(event));
    thread.send({ type: "open", activation, name, epoch: 1, isReleased: false });
    for (const bytes of deltas) thread.send({ type: "delta", activation, bytes });
    thread.send({ type: "opened", activation });
    const run = (method: string): number => {
      numbers += 1;
      const deadlineMs = systemClock.monotonicMs() + 60_000;
      thread.send({ type: "run", activation, call: plainCall(numbers, deadlineMs, { name, method }) });
      return numbers;
    };
    return { heard, run };
  };
  /** A session of the thread that is there now runs. */
  const serves = async (activation: number): Promise<void> => {
    const { heard, run } = open(activation);
    run("run");
    await waitUntil(() => heard.length > 0, "the next thread serves");
    assert.deepEqual(
      heard.map(({ type }) => type),
      ["turned"],
    );
  };
  const linesWith = (words: string) =>
    lines.filter((line) => line.includes(words)).map((line) => JSON.parse(line) as Record<string, unknown>);
  const nextLoss = async (count = 1): Promise<Loss> => {
    await waitUntil(() => losses.length >= count, "the thread is lost");
    assert.equal(losses.length, count);
    return losses[count - 1] ?? assert.fail();
  };
  return { workers, worker, open, serves, linesWith, nextLoss };
}

test("who holds a thread is named with its call, then the thread ends, and the next one serves at once", async () => {
  await using stack = new AsyncDisposableStack();
  const { workers, worker, open, serves, linesWith, nextLoss } = await rig();
  stack.use(workers);
  const calm = open(1);
  calm.run("run");
  await waitUntil(() => calm.heard.length === 1, "a session runs");
  const call = open(2).run("spin");
  const { activations, begun, overdue, why } = await nextLoss();
  assert.deepEqual([activations, overdue], [[1, 2], call]);
  assert.equal(begun.has(call), true);
  assert.equal(why, `it was held for longer than maxTurn ${limitMs} ms`);
  const [named] = linesWith('a handler holds its thread"');
  assert.deepEqual([named?.["call"], named?.["agent"]], [call, "lives"], "it says which agent's it is");
  const [ended, ...others] = linesWith(
    `holds its thread for longer than maxTurn ${limitMs} ms: the thread is ended`,
  );
  assert.deepEqual([ended?.["call"], others], [call, []]);
  assert.ok(Number(ended?.["heldMs"]) >= limitMs);
  assert.equal(worker.refusal, undefined, "the first death is made good at once");
  await serves(3);
});

test("what lies outside of a thread's heap counts, and no call is overdue for it", async () => {
  await using stack = new AsyncDisposableStack();
  const { workers, open, serves, nextLoss } = await rig();
  stack.use(workers);
  open(1).run("fill");
  const { why, overdue } = await nextLoss();
  assert.match(why, /^\d+ MiB outside of its heap exceed heapMib 64$/);
  assert.equal(overdue, undefined);
  await serves(2);
});

test("a bundle that loads no more is refused with what it did, until it does", async () => {
  await using stack = new AsyncDisposableStack();
  const { workers, worker, open, serves, nextLoss } = await rig();
  stack.use(workers);
  writeFileSync(flag, "");
  const call = open(1).run("breakAll");
  const { why, begun } = await nextLoss();
  assert.match(why, /^what it wrote cannot be read/);
  assert.deepEqual(
    [begun.holder, begun.last],
    [undefined, call],
    "it has ended by then, and may have done it",
  );
  const { failure } = await waitUntil(() => worker.refusal, "it does not load again");
  assert.equal(failure.reason, "worker_lost");
  assert.match(failure.message, /^the code of lives, other does not run: Error: no model/);
  assert.equal(failure.retryAfterMs, 1_000);
  rmSync(flag);
  await waitUntil(() => worker.refusal === undefined, "it loads again");
  await serves(2);
});

test("a thread that spoils what it shows of its ring is ended though it never rings, and the next one serves", async () => {
  await using stack = new AsyncDisposableStack();
  const { workers, open, serves, nextLoss } = await rig();
  stack.use(workers);
  const call = open(1).run("shiftsHead");
  const { why, begun } = await nextLoss();
  assert.match(why, /^what it wrote cannot be read \(the writer's head \d+ does not fit/);
  assert.deepEqual([begun.has(call), begun.holder, begun.last], [true, undefined, call]);
  await serves(2);
});

test("a thread that says nonsense of who holds it is ended as one that says nothing", async () => {
  await using stack = new AsyncDisposableStack();
  const { workers, open, serves, nextLoss, linesWith } = await rig();
  stack.use(workers);
  const call = open(1).run("hidesHolder");
  const { why, overdue } = await nextLoss();
  assert.deepEqual([why, overdue], [`it was held for longer than maxTurn ${limitMs} ms`, call]);
  assert.equal(linesWith("who holds the thread cannot be asked").length, 1);
  await serves(2);
});

test("a state that would not load again is not taken: its thread ends", async () => {
  await using stack = new AsyncDisposableStack();
  const { workers, open, serves, nextLoss } = await rig();
  stack.use(workers);
  const { heard, run } = open(1);
  run("spoilsState");
  assert.match(
    (await nextLoss()).why,
    /^what it wrote cannot be read \(changes of a turn: magic 0x61646f56 /,
  );
  assert.deepEqual(heard, []);
  await serves(2);
});

test("a number that does not follow what the session was opened with is not taken", async () => {
  await using stack = new AsyncDisposableStack();
  const { workers, open, serves, nextLoss } = await rig();
  stack.use(workers);
  const state = openState({ n: { kind: "counter" } }, { crc32 });
  const deltas = Array.from({ length: 200 }, () => {
    const turn = state.begin();
    turn.state.n.add(1);
    return turn.commit(1) ?? assert.fail("it changes something");
  });
  const { heard, run } = open(1, deltas);
  run("countsWrongly");
  assert.match(
    (await nextLoss()).why,
    /^what it wrote cannot be read \(transaction 329 where 201 must follow\)/,
  );
  assert.deepEqual(heard, []);
  await serves(2);
});
