// What a lane decides of calls, done: they are answered, or passed on to the session's owner.
import { type Clock, unreachable } from "@voda/stdx";
import { decodeAnswer } from "../answer.ts";
import type { Bus } from "../bus/index.ts";
import { fail } from "../invocation.ts";
import type { CallKind, LaneEffect } from "../lane/index.ts";
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
  readonly deliver: (call: LiveCall, kind: CallKind, unreached?: string) => void;
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
  { call: number, kind, incarnation }: Extract<LaneEffect, { type: "forward" }>,
): void {
  const call = parts.calls.get(number);
  if (call === undefined) return;
  call.takeBack = forward(parts, { kind, incarnation }, call.invocation, {
    answered: (answer, meta) => parts.calls.answer(number, answer, meta),
    undelivered: () => again(parts, call, kind, incarnation),
    lost: () => lost(parts, call, kind),
  });
}

function again(parts: Answering, call: LiveCall, kind: CallKind, unreached?: string): void {
  if (parts.calls.get(call.number) === undefined) return;
  call.takeBack = undefined;
  parts.deliver(call, kind, unreached);
}

/** A call with a key joins what ran of it, and a reader changes nothing: they may run again wherever the session is then. */
function lost(parts: Answering, call: LiveCall, kind: CallKind): void {
  const { id, readonly } = call.invocation;
  if (kind === "invoke" && (id !== undefined || readonly)) again(parts, call, kind);
  else
    parts.calls.answer(
      call.number,
      fail(
        "not_owner",
        "the session's node is gone; whether the call took effect is unknown: it had no idempotency key",
      ),
    );
}
