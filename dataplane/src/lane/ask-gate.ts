// When asks of turns may leave: with the claim durable and nothing uncommitted before them (PROTOCOL.md 5.3).
import { asksMax, type Failure, fail, tooManyAsks } from "../call/index.ts";
import { type AskEvent, addAsk, endAsks, mayAsk, takeAsks, turnAsksMax, type Waiting } from "./asks.ts";
import type { Activation, Pass, Slice } from "./lane.ts";
import { wantClaim, wantClaimToRead } from "./tip.ts";
import type { Work } from "./work.ts";

export const askGate: Slice = { advance };

/** A handler asks something of another session. */
export function noteAsk({ lane, out }: Pass, activation: Activation, event: AskEvent): void {
  const { asks, turns, tip } = activation;
  const work = turns.jobs.get(event.by);
  if (work?.stage !== "running") {
    out.push(refusal(event));
    return;
  }
  if (asks.waiting.length >= asksMax) {
    out.push(refusal(event, tooManyAsks().failure));
    return;
  }
  if (!mayAsk(asks, work, event.requestHash)) {
    out.push(refusal(event, tooManyOfTurn()));
    return;
  }
  addAsk(asks, work, event, {
    after: turns.executed,
    incarnation: tip.incarnation,
    hash: lane.hash,
  });
  if (event.requestHash === undefined) wantClaimToRead(tip);
  else wantClaim(tip);
}

function advance(pass: Pass, activation: Activation): void {
  const { asks, turns, tip, verification } = activation;
  if (asks.waiting.length === 0) return;
  const isCertain = verification.verified && pass.world.leaseValid();
  const mayLeave = ({ after, id }: Waiting): boolean => {
    if (id === undefined && tip.claim === "unborn") return true;
    const isOurs = tip.claim === "owner" || (id === undefined && tip.claim === "held" && tip.readable);
    return isOurs && isCertain && after <= turns.accepted;
  };
  for (const { call, id } of takeAsks(asks, mayLeave)) pass.out.push({ type: "ask", call, id });
}

/** The turn of `work` has ended, or, without one, the memory of all goes: nothing that waits here leaves. */
export function dropAsks({ out }: Pass, { asks }: Activation, work?: Work): void {
  for (const waiting of endAsks(asks, work)) out.push(refusal(waiting));
}

const refusal = ({ call }: { readonly call: number }, failure = ended()) =>
  ({ type: "refuseAsk", call, failure }) as const;
const tooManyOfTurn = (): Failure =>
  fail("queue_full", `a turn asks at most turnAsksMax ${turnAsksMax} different things`).failure;
const ended = (): Failure => fail("interrupted", "the turn that asked has ended").failure;
