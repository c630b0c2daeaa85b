// When asks of turns may leave: with the claim durable and nothing uncommitted before them (PROTOCOL.md 5.3).
import { type Failure, fail } from "../call/index.ts";
import { type AskEvent, addAsk, takeAsks, type Waiting } from "./asks.ts";
import type { Activation, Slice, Step } from "./lane.ts";
import { wantClaim, wantClaimToRead } from "./tip.ts";

export const askGate: Slice = { advance };

/** A handler asks something of another session. */
export function asked({ lane, out }: Step, activation: Activation, event: AskEvent): void {
  const { asks, turns, tip } = activation;
  const work = turns.jobs.get(event.call);
  if (work?.stage !== "running") {
    out.push({ type: "refuseAsk", ask: event.ask, failure: ended() });
    return;
  }
  addAsk(asks, work, event, {
    after: turns.executed,
    incarnation: tip.incarnation,
    hash: lane.hash,
  });
  if (event.hash === undefined) wantClaimToRead(tip);
  else wantClaim(tip);
}

function advance(step: Step, activation: Activation): void {
  const { asks, turns, tip, verification } = activation;
  if (asks.waiting.length === 0) return;
  for (const { ask } of takeAsks(asks, ({ work }) => work.stage !== "running"))
    step.out.push({ type: "refuseAsk", ask, failure: ended() });
  const isCertain = verification.verified && step.world.leaseValid();
  const mayLeave = ({ after, id }: Waiting): boolean => {
    if (id === undefined && tip.claim === "unborn") return true;
    const isOurs = tip.claim === "owner" || (id === undefined && tip.claim === "held" && tip.readable);
    return isOurs && isCertain && after <= turns.accepted;
  };
  for (const { ask, work, id } of takeAsks(asks, mayLeave)) {
    work.hasLeft ||= id !== undefined;
    step.out.push({ type: "ask", ask, id });
  }
}

/** The memory of the turns that ask goes: none of these left. */
export function dropAsks({ out }: Step, { asks }: Activation): void {
  for (const { ask } of takeAsks(asks, () => true)) out.push({ type: "refuseAsk", ask, failure: ended() });
}

const ended = (): Failure => fail("interrupted", "the turn that asked has ended").failure;
