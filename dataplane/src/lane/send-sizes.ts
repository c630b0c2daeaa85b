// What sends take of the bounds of a session.
import { isAtOnce, type Send, sendBytes } from "../call/index.ts";

/** Messages that are not over, timers that are set, and the bytes of both. */
export interface Sizes {
  readonly messages: number;
  readonly timers: number;
  readonly bytes: number;
}

export const noSizes: Sizes = { messages: 0, timers: 0, bytes: 0 };

/** Of one turn. What cancels a timer takes no room. */
export function sizesOfSends(sends: readonly Send[]): Sizes {
  let [messages, timers, bytes] = [0, 0, 0];
  for (const send of sends) {
    if (send.timing?.due.type === "never") continue;
    if (isAtOnce(send)) messages += 1;
    else timers += 1;
    bytes += sendBytes(send);
  }
  return { messages, timers, bytes };
}

export const addSizes = (a: Sizes, b: Sizes, sign: 1 | -1 = 1): Sizes => ({
  messages: a.messages + sign * b.messages,
  timers: a.timers + sign * b.timers,
  bytes: a.bytes + sign * b.bytes,
});
