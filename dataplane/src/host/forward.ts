// Passes calls on to the node that owns their session.
import type { Bus } from "../bus/index.ts";
import type { AbandonReason, Answer, AnswerMeta, Call } from "../call/index.ts";
import type { Membership } from "../membership/index.ts";

export interface Forwarded {
  answered(answer: Answer, meta: AnswerMeta): void;
  /** It certainly did not run there. */
  undelivered(): void;
  /** Nobody knows what became of it. */
  lost(): void;
}

/** Returns the way to take the call back; nothing is told then. */
export function forward(
  { bus, membership }: { readonly bus: Bus; readonly membership: Membership },
  incarnation: string,
  call: Call,
  forwarded: Forwarded,
): (why: AbandonReason) => void {
  const member = membership.member(incarnation);
  if (member === undefined) {
    queueMicrotask(() => forwarded.undelivered());
    return () => undefined;
  }
  const passedOn = { ...call, head: { ...call.head, hops: call.head.hops + 1 } };
  return bus.call(member, passedOn, (outcome) => {
    if (outcome.type === "undelivered") forwarded.undelivered();
    else if (outcome.type === "lost") forwarded.lost();
    else forwarded.answered(outcome.answer, outcome.meta);
  });
}
