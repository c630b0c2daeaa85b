import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ask, node } from "../../test/node-specs.ts";
import { type GpuRequest, Pool } from "../placement/index.ts";
import { asksPerMinuteMax, leavingMax, RoomMaker, type Slept } from "./room-maker.ts";

const gpu: fc.Arbitrary<GpuRequest> = fc.oneof(
  fc.constant<GpuRequest>({ type: "none" }),
  fc.record({
    type: fc.constant("whole" as const),
    count: fc.integer({ min: 1, max: 2 }),
    memoryMib: fc.constant(0),
  }),
  fc.record({
    type: fc.constant("fraction" as const),
    milli: fc.constantFrom(100, 250, 500),
    memoryMib: fc.constant(0),
  }),
);
const step = fc.record({
  gpu,
  namespace: fc.constantFrom("red", "blue"),
  isBusy: fc.boolean(),
  passMs: fc.nat(2_000),
});
const outcome = fc.constantFrom<Slept[]>("asleep", "asleep", "asleep", "busy", "away");
const world = fc.record({
  nodes: fc.integer({ min: 1, max: 3 }),
  gpus: fc.integer({ min: 1, max: 3 }),
  steps: fc.array(step, { minLength: 5, maxLength: 60, size: "max" }),
  outcomes: fc.array(outcome, { minLength: 1, maxLength: 20, size: "max" }),
});

test("whatever arrives and whatever nodes answer: only those sleep that may, and room that is made is there", async () => {
  await fc.assert(
    fc.asyncProperty(world, async ({ nodes, gpus, steps, outcomes }) => {
      const pool = new Pool({ nodes: Array.from({ length: nodes }, (_, i) => node(`n${i}`, { gpus })) });
      const time = { ms: 0 };
      const unconfirmed = new Set<string>();
      let wanted = { namespace: "", isMade: true, asked: 0 };
      let askedInAll = 0;
      const putToSleep = (session: string, on: string): Promise<Slept> => {
        const placed = pool.sessions.get(session);
        assert.ok(placed !== undefined, `${session} is asked and is nowhere`);
        assert.equal(pool.books.idOf(placed.node), on);
        assert.equal(placed.request.namespace, wanted.namespace, "a session would sleep for strangers");
        assert.ok(placed.kind.gpuCount === 1 && !unconfirmed.has(session));
        const slept = outcomes[askedInAll % outcomes.length] ?? "away";
        askedInAll += 1;
        wanted = { ...wanted, asked: wanted.asked + 1, isMade: wanted.isMade && slept === "asleep" };
        return Promise.resolve(slept).then((said) => {
          if (said === "asleep") pool.release(session);
          return said;
        });
      };
      await using maker = new RoomMaker({
        clock: { wallMs: () => 0, monotonicMs: () => time.ms },
        putToSleep,
      });
      for (const [i, { gpu: wants, namespace, isBusy, passMs }] of steps.entries()) {
        time.ms += passMs;
        const request = ask(`s${i}`, wants, { namespace, cores: 1 });
        const placed = pool.place(request);
        if (!("type" in placed)) {
          if (isBusy) unconfirmed.add(request.session);
          continue;
        }
        const before = new Set(pool.sessions.keys());
        wanted = { namespace, isMade: true, asked: 0 };
        const retryMs = maker.makeFor({ pool, request, isConfirmed: (session) => !unconfirmed.has(session) });
        assert.deepEqual(new Set(pool.sessions.keys()), before, "planning changed the books");
        assert.equal(retryMs !== undefined, wanted.asked > 0);
        assert.ok(wanted.asked <= leavingMax);
        await new Promise(setImmediate);
        if (wanted.asked > 0 && wanted.isMade)
          assert.equal(pool.decide(request).type, "plan", "the room that was made is none");
      }
      assert.ok(askedInAll <= asksPerMinuteMax * (1 + time.ms / 60_000));
      assert.ok(maker.counters.slept + maker.counters.busy <= askedInAll);
    }),
    { numRuns: 300 },
  );
});
