// Bodies that race, keep, join and give up waits, whose node dies and whose session sleeps at any time: what
// a body has gone on from is what it has again, and no signal that it waits for is lost.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as loopTick } from "node:timers/promises";
import * as fc from "fast-check";
import { agent, s, signal, VodaError } from "./index.ts";
import { testMesh } from "./testing.ts";

const signals = { a: signal<number>("a"), b: signal<number>("b") };

interface Wait {
  readonly on: "a" | "b" | "sleep";
  readonly timeout: "1s" | "1m" | null;
  readonly isGivenUp: boolean;
}
interface Op {
  readonly type: "race" | "all" | "keep" | "take" | "give up" | "give up later";
  readonly waits: readonly Wait[];
}

const outcome = (step: Promise<unknown>, name: string): Promise<string> =>
  step.then(
    (value) => `${name} ${String(value)}`,
    (error: unknown) => `${name} ${VodaError.from(error).reason}`,
  );

/** Beside all steps: with each run of the body it may be at another time. */
async function later(over: AbortController | undefined, ticks: number): Promise<void> {
  for (let i = 0; i < ticks * ticks; i += 1) await loopTick();
  over?.abort();
}

const waiter = agent("waiter", { noted: s.register<string[]>([]) }).workflows({
  async work(wf, ops: readonly Op[]) {
    const seen: string[] = [];
    const kept: Promise<string>[] = [];
    const given: AbortController[] = [];
    const wait = ({ on, timeout, isGivenUp }: Wait, name: string): Promise<string> => {
      const over = new AbortController();
      if (isGivenUp) given.push(over);
      if (on === "sleep") return outcome(wf.sleep(name, timeout ?? "20s", { signal: over.signal }), name);
      const options = isGivenUp ? { signal: over.signal } : {};
      return outcome(wf.wait(signals[on], timeout === null ? options : { ...options, timeout }), on);
    };
    const had = async (op: Op, at: number): Promise<string> => {
      if (op.type === "take") return (await kept.shift()) ?? "none";
      if (op.type === "give up") return (given.shift()?.abort(), "given up");
      if (op.type === "give up later") return (void later(given.shift(), op.waits.length), "given up later");
      const waits = op.waits.map((one, nth) => wait(one, `${at}.${nth}`));
      if (op.type === "keep") return (kept.push(...waits), "kept");
      return op.type === "race" ? Promise.race(waits) : (await Promise.all(waits)).join();
    };
    for (const [at, op] of ops.entries()) {
      const what = await had(op, at);
      seen.push(what);
      await wf.tx(`note ${at}`, (state) => {
        state.noted = [...state.noted, what];
      });
    }
    return seen;
  },
});

const waits = fc.array(
  fc.record<Wait>({
    on: fc.constantFrom("a", "a", "b", "sleep"),
    timeout: fc.constantFrom(null, null, "1s", "1m"),
    isGivenUp: fc.boolean(),
  }),
  { minLength: 1, maxLength: 3 },
);
const type = fc.constantFrom<Op["type"][]>("race", "race", "all", "keep", "take", "give up", "give up later");
const ops = fc.array(fc.record<Op>({ type, waits }), { minLength: 1, maxLength: 8 });
const acts = fc.array(fc.constantFrom("a", "b", "a and b", "settle", "1s", "1m", "kill", "kill", "sleep"), {
  maxLength: 14,
  size: "max",
});

const isEnded = (error: unknown): void => assert.equal(VodaError.from(error).reason, "workflow_ended");

test("a body has again what it went on from, and comes to its end when signals come", async () => {
  const play = async (program: readonly Op[], moves: readonly string[], seed: number): Promise<void> => {
    await using mesh = await testMesh({ agents: [waiter], seed });
    const run = await mesh.workflows(waiter, "w").work.start(program, { id: "w" });
    let count = 0;
    const send = (on: "a" | "b") => run.signal(signals[on], (count += 1)).catch(isEnded);
    const act: Readonly<Record<string, () => unknown>> = {
      a: () => send("a"),
      b: () => send("b"),
      "a and b": () => Promise.all([send("a"), send("b"), send("b"), send("a")]),
      settle: () => mesh.settle(),
      "1s": () => mesh.advance("1s"),
      "1m": () => mesh.advance("1m"),
      kill: () => mesh.kill(),
      sleep: () => mesh.sleep(waiter, "w"),
    };
    for (const move of moves) await act[move]?.();
    for (let at = 0; at < 30 && (await run.status()).phase !== "done"; at += 1) {
      await Promise.all([send("a"), send("b")]);
      await mesh.advance("2m");
    }
    const { phase, result, error, waitsFor } = await run.status();
    if (error?.reason === "worker_lost") return; // three deaths without a step between them
    assert.equal(phase, "done", `${error?.message} ${waitsFor.join()}`);
    assert.deepEqual(result, mesh.state(waiter, "w").noted);
  };
  const plain = { on: "a", timeout: null, isGivenUp: false } as const;
  // given up between the entry of another step and its own
  const between: readonly Op[] = [
    {
      type: "race",
      waits: [
        { ...plain, on: "b" },
        { ...plain, isGivenUp: true },
      ],
    },
    { type: "give up later", waits: [plain] },
    { type: "race", waits: [{ ...plain, timeout: "1s" }] },
    { type: "race", waits: [plain] },
  ];
  const examples: [readonly Op[], string[], number][] = [[between, ["b", "1s", "kill", "a"], 0]];
  await fc.assert(fc.asyncProperty(ops, acts, fc.nat(1_000), play), { numRuns: 60, examples });
});
