// Orders from outside the session: to claim it, to have it deliver, to put it to sleep, to delete it.
import type { CallHead } from "../call/index.ts";

/** The slice. `end` outranks `sleep`, and neither is taken back. */
export interface Orders {
  closing: "sleep" | "end" | undefined;
  /** When its end was ordered, by the monotonic clock. */
  endFromMs: number | undefined;
  /** Who waits for its end, or for the claim. */
  waiting: CallHead[];
  /** Whether the bell was rung anew after the last order came: whoever gives it takes away what it found. */
  isBellFresh: boolean;
}

/** Orders belong to one activation; those that it could not carry out go back to the lane (`drop`). */
export function openOrders(): Orders {
  return { closing: undefined, endFromMs: undefined, waiting: [], isBellFresh: false };
}

/** Finish what runs, then fold with release. */
export function sleep(orders: Orders): void {
  orders.closing ??= "sleep";
}

/** The control is carried out later; an end closes the session now. */
export function accept(orders: Orders, control: CallHead, nowMs: number): void {
  orders.waiting.push(control);
  orders.isBellFresh = false;
  if (control.type !== "end") return;
  orders.closing = "end";
  orders.endFromMs ??= nowMs;
}

/** The bell rings, or has rung, after the last of them came. */
export function noteFreshBell(orders: Orders): void {
  orders.isBellFresh = true;
}

/** Takes out the waiting ones that match, the first `most` of them. */
export function takeOrders(
  orders: Orders,
  isMeant: (control: CallHead) => boolean,
  most = Number.POSITIVE_INFINITY,
): CallHead[] {
  const taken = new Set(orders.waiting.filter(isMeant).slice(0, most));
  if (taken.size > 0) orders.waiting = orders.waiting.filter((control) => !taken.has(control));
  return [...taken];
}
