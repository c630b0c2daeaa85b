import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type LeaseEvent, noLeases, silenceMs, step } from "./lease.ts";

const node = fc.constantFrom("a", "b", "c", "d");
const incarnation = fc.constantFrom("1", "2", "3");
const event = fc.oneof(
  fc.record({
    type: fc.constant("lease" as const),
    node,
    incarnation,
    succeeds: fc.constantFrom("", "1", "2"),
  }),
  fc.record({
    type: fc.constantFrom("expired" as const, "obituary" as const, "heartbeat" as const),
    node,
    incarnation,
  }),
  fc.record({ type: fc.constant("tick" as const) }),
);
/** Events with the time that passes before each. */
const history = fc.array(fc.tuple(fc.integer({ min: 0, max: 2500 }), event), { maxLength: 80, size: "max" });

/** What was true of one incarnation, kept without the machine. */
interface Seen {
  heardMs: number;
  isEnded: boolean;
}

test("silence gives a node up only after its lease ended, 3 s without a heartbeat, and no mass expiry", () => {
  fc.assert(
    fc.property(history, (events) => {
      let state = noLeases;
      let nowMs = 0;
      let heldUntilMs = -1;
      const seen = new Map<string, Seen>();
      for (const [passed, one] of events) {
        nowMs += passed;
        const at: LeaseEvent = { ...one, nowMs };
        const next = step(state, at);
        for (const effect of next.effects) {
          if (effect.type === "held") heldUntilMs = effect.untilMs;
          else if (effect.type === "joined" || effect.type === "returned") {
            seen.set(`${effect.node}.${effect.incarnation}`, { heardMs: nowMs, isEnded: false });
          } else if (effect.type === "lost" && effect.cause === "silence") {
            const its = seen.get(`${effect.node}.${effect.incarnation}`);
            assert.ok(its?.isEnded, "its lease had ended");
            assert.ok(nowMs - its.heardMs >= silenceMs, "it was silent");
            assert.ok(nowMs >= heldUntilMs, "no hold after a mass expiry");
          }
        }
        const its = at.type === "tick" ? undefined : seen.get(`${at.node}.${at.incarnation}`);
        if (its !== undefined && at.type === "expired") its.isEnded = true;
        if (its !== undefined && at.type === "heartbeat") its.heardMs = nowMs;
        state = next.state;
      }
    }),
  );
});

test("joined and lost alternate for every node", () => {
  fc.assert(
    fc.property(history, (events) => {
      let state = noLeases;
      let nowMs = 0;
      const alive = new Map<string, string>();
      for (const [passed, one] of events) {
        nowMs += passed;
        const next = step(state, { ...one, nowMs });
        for (const effect of next.effects) {
          if (effect.type === "held") continue;
          if (effect.type === "joined") assert.equal(alive.has(effect.node), false);
          else if (effect.type !== "returned") assert.equal(alive.get(effect.node), effect.incarnation);
          if (effect.type === "lost") alive.delete(effect.node);
          else alive.set(effect.node, effect.incarnation);
        }
        state = next.state;
        assert.deepEqual(new Set(state.nodes.keys()), new Set(alive.keys()));
      }
    }),
  );
});
