// What a lane decides of calls, done: they are answered, or passed on to the session's owner.
import { type Clock, unreachable } from "@voda/stdx";
import type { Bus } from "../bus/index.ts";
import { decodeAnswer, fail } from "../call/index.ts";
import type { LaneEffect } from "../lane/index.ts";
import type { Membership } from "../membership/index.ts";
import type { Calls, LiveCall } from "./calls.ts";
import { forward } from "./forward.ts";
import type { Hosted } from "./hosted.ts";

export interface CallParts {
  readonly membership: Membership;
  readonly bus: Bus;
  readonly clock: Clock;
  /** `ip:port` of this node's ingress. */
  readonly hint: string;
}

interface Answering extends CallParts {
  readonly calls: Calls;
  /** Brings a call in anew. `unreached`: the node that did not get it. */
  readonly deliver: (live: LiveCall, unreached?: string) => void;
}

export type CallEffect = Extract<LaneEffect, { type: "reply" | "fail" | "done" | "forward" }>;

const NOTHING = new Uint8Array(0);

export function performOnCall(parts: Answering, hosted: Hosted, effect: CallEffect): void {
  const { calls, clock, hint } = parts;
  hosted.calls -= 1;
  hosted.usedMs = clock.monotonicMs();
  switch (effect.type) {
    case "reply":
      calls.answer(effect.call, decodeAnswer(effect.answer), {
        hint,
        token: `${lifeOf(hosted, effect.uid)}.${effect.n}`,
      });
      return;
    case "fail":
      calls.answer(effect.call, { ok: false, failure: effect.failure });
      return;
    case "done":
      calls.answer(effect.call, { ok: true, content: "json", body: NOTHING });
      return;
    case "forward":
      pass(parts, effect);
      return;
    default:
      unreachable(effect);
  }
}

/** A session keeps its birth id from record to record: its text is made once. */
function lifeOf(hosted: Hosted, uid: Uint8Array): string {
  if (hosted.life?.uid !== uid) hosted.life = { uid, text: Buffer.from(uid).toString("base64url") };
  return hosted.life.text;
}

function pass(
  parts: Answering,
  { call: number, incarnation }: Extract<LaneEffect, { type: "forward" }>,
): void {
  const live = parts.calls.get(number);
  if (live === undefined) return;
  live.takeBack = forward(parts, incarnation, live.call, {
    answered: (answer, meta) => parts.calls.answer(number, answer, meta),
    undelivered: () => again(parts, live, incarnation),
    lost: () => lost(parts, live),
  });
}

function again(parts: Answering, live: LiveCall, unreached?: string): void {
  if (parts.calls.get(live.call.head.number) === undefined) return;
  live.takeBack = undefined;
  parts.deliver(live, unreached);
}

/** A call with a key joins what ran of it, and a reader changes nothing: they may run again wherever the session is then. */
function lost(parts: Answering, live: LiveCall): void {
  const { number, type, id, readonly } = live.call.head;
  if (type === "invoke" && (id !== undefined || readonly)) again(parts, live);
  else
    parts.calls.answer(
      number,
      fail(
        "not_owner",
        "the session's node is gone; whether the call took effect is unknown: it had no idempotency key",
      ),
    );
}
