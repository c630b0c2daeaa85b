// Passes calls on to the node that owns their session.
import type { AnswerMeta, Bus } from "../bus/index.ts";
import type { Answer, Invocation } from "../invocation.ts";
import type { CallKind } from "../lane/index.ts";
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
  to: { readonly kind: CallKind; readonly incarnation: string },
  invocation: Invocation,
  forwarded: Forwarded,
): () => void {
  const member = membership.member(to.incarnation);
  if (member === undefined) {
    queueMicrotask(() => forwarded.undelivered());
    return () => undefined;
  }
  // The grant was for this node: it says nothing to another one.
  const passedOn = { ...invocation, hops: invocation.hops + 1, grant: undefined };
  return bus.call(member, to.kind, passedOn, (outcome) => {
    if (outcome.type === "undelivered") forwarded.undelivered();
    else if (outcome.type === "lost") forwarded.lost();
    else forwarded.answered(outcome.answer, outcome.meta);
  });
}
