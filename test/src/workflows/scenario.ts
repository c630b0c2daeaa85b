// A workflow with everything that one has, in a mesh in memory whose node dies before each of its steps;
// loaded as it is, and with a rule broken.
import assert from "node:assert/strict";
import { agent, s, signal, VodaError } from "voda";
import { explore, type TestMesh } from "voda/testing";

const go = signal<number>("go");
const never = signal("never");
const nor = signal("nor");

/** What the world outside was asked, and has done: once for each key. */
class Outside {
  readonly asked: string[] = [];
  readonly done = new Map<string, string>();
  /** What bodies saw of the clock. */
  readonly clocks = new Set<number>();

  do(what: string, key: string): string {
    // what a later step rests on is not done again
    const later = { one: "two", two: "undo two", "undo two": "undo one" }[what];
    assert.ok(later === undefined || !this.asked.includes(later), `${what} is asked for after ${later}`);
    assert.equal(this.done.get(key) ?? what, what, "a key is of one step");
    this.asked.push(what);
    this.done.set(key, what);
    return what;
  }
}

const outside = new Outside();

const half = "🦆".slice(0, 1);

/** Ends by itself, seen by nobody. */
async function ticks(): Promise<void> {
  for (let at = 0; at < 30; at += 1) await new Promise(setImmediate);
}

const account = agent("account", { sum: s.counter() }).handlers({
  add: (ctx, by: number) => ctx.state.sum.add(by),
});

/** A few ticks of the microtask queue after it. */
async function ticksOf(step: Promise<void>): Promise<void> {
  await step;
  for (let at = 0; at < 5; at += 1) await Promise.resolve();
}

/** What a wait gives whose time is over: its signal never comes. */
function late(error: unknown): string {
  if (VodaError.from(error).reason === "wait_timeout") return "never";
  throw error;
}

const job = agent("job", { log: s.register<string[]>([]) }).workflows({
  async work(wf, fails: boolean) {
    const step = (name: string) =>
      wf.run(name, (op) => outside.do(name, op.idempotencyKey), {
        undo: (_, op) => outside.do(`undo ${name}`, op.idempotencyKey),
      });
    const note = (line: string) => (state: { log: readonly string[] }) => {
      (state as { log: string[] }).log = [...state.log, line];
    };
    await step("one");
    const [by] = await Promise.all([wf.wait(go), wf.sleep("at least", "1s")]);
    // what comes first has the longest way to the body
    const raced = await Promise.race([
      ticksOf(wf.sleep("a while", "1s")).then(() => "a while"),
      wf.sleep("too long", "1400ms"),
      wf.sleep("an hour", "1h"),
      wf.wait(never, { timeout: "1500ms" }).catch(late),
      wf.wait(nor, { timeout: "1h" }).catch(late),
    ]);
    const first = raced ?? "never";
    await wf.sleep("until the other one comes", "700ms");
    await wf.tx(
      "note",
      (state, ctx) => {
        note(`${first} ${by}`)(state);
        ctx.send(account, "a").add(by);
      },
      { undo: note("undone") },
    );
    await step("two");
    if (fails) throw new VodaError("aborted", "as it was told to");
    return `${first} ${String(await wf.wait(never, { timeout: "1s" }).catch(late))}`;
  },
});

/** What goes wrong with steps, and what is awaited beside them. */
const odd = agent("odd", {}).workflows({
  async work(wf) {
    const at = wf.now();
    await wf.sleep("first", "1s");
    outside.clocks.add(at);
    await Promise.race([wf.wait(never), ticks()]);
    const step = (name: string, act: (key: string) => unknown) =>
      wf.run(name, (op) => act(op.idempotencyKey) as string, {
        undo: (_, op) => outside.do(`undo ${name}`, op.idempotencyKey),
      });
    // refused at first, and taken by whoever asks again
    const isFirst = !outside.asked.includes("card A");
    const refused = () => assert.fail("refused");
    const card = await step("card A", (key) =>
      isFirst ? (outside.asked.push("card A"), refused()) : outside.do("card A", key),
    ).catch(() => step("card B", (key) => outside.do("card B", key)));
    const unkept = await step("unkept", (key) => `${outside.do("unkept", key)} ${half}`).catch(
      () => "not kept",
    );
    await wf.sleep("last", "1s");
    throw new VodaError("aborted", `${card}, ${unkept} ${half}`);
  },
});

type Mesh = TestMesh<readonly [typeof job, typeof account, typeof odd]>;

/** How a run goes on: it ends well, it fails, it is cancelled, or much goes wrong. */
export type Fate = "done" | "failed" | "cancelled" | "odd";

async function oddScenario(mesh: Mesh): Promise<void> {
  outside.asked.length = 0;
  outside.done.clear();
  outside.clocks.clear();
  const run = await mesh.workflows(odd, "o").work.start(undefined, { id: "w" });
  for (let at = 0; at < 5; at += 1) {
    await mesh.advance("5s");
    await ticks();
    // what it awaited beside its steps nobody has seen: it died with its node
    const { phase } = await run.status();
    if (phase === "waiting" && outside.asked.length === 0) await run.signal(never);
  }
  const { phase, error } = await run.status();
  const effects = [...outside.done.values()].toSorted();
  const card = effects[0] ?? "none";
  assert.equal(`${phase}: ${String(error?.message)}`, `failed: ${card}, not kept \ufffd`);
  assert.deepEqual(effects, [card, `undo ${card}`, "undo unkept", "unkept"]);
  assert.equal(outside.clocks.size, 1, "one time of the clock");
}

const scenario = (fate: Exclude<Fate, "odd">) => async (mesh: Mesh) => {
  outside.asked.length = 0;
  outside.done.clear();
  const { work } = mesh.workflows(job, "j");
  const run = await work.start(fate === "failed", { id: "w" });
  await run.signal(go, 7);
  await mesh.advance(fate === "cancelled" ? "2800ms" : "5s");
  if (fate === "cancelled") await run.cancel();
  await mesh.advance("1m");
  const { phase, result } = await run.status();
  const { log } = mesh.state(job, "j");
  const { sum } = mesh.state(account, "a");
  const effects = [...outside.done.values()].toSorted();
  assert.equal(phase, fate);
  if (fate === "done") {
    assert.equal(result, "a while never");
    assert.deepEqual([log, sum, effects], [["a while 7"], 7, ["one", "two"]]);
  } else {
    const undone = effects.filter((one) => one.startsWith("undo"));
    assert.equal(undone.length * 2, effects.length, effects.join());
    assert.deepEqual(log, sum === 0 ? [] : ["a while 7", "undone"]);
    if (fate === "failed") assert.deepEqual([sum, undone.length], [7, 2]);
  }
};

/** @throws what goes wrong, with the line that runs it again */
export const exploreFate = (fate: Fate, seeds: number | readonly number[]) =>
  explore(fate === "odd" ? oddScenario : scenario(fate), {
    agents: [job, account, odd] as const,
    seeds,
    kills: "every step",
  });
