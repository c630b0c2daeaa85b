// What orders from outside do to a session in memory.
import { type AbandonReason, type CallHead, type CallType, left } from "../call/index.ts";
import { abandonFold } from "./fold.ts";
import type { Activation, Slice, Step } from "./lane.ts";
import { accept, type Orders, takeOrders } from "./orders.ts";
import { carriedOutStill, failCall } from "./share.ts";
import { wantClaim } from "./tip.ts";

/**
 * Takes orders as soon as there is an activation to carry them out: a `wake` needs a durable claim, an `end`
 * lets the running calls finish first.
 */
export const control: Slice = { advance };

function advance({ lane, out }: Step, activation: Activation): void {
  if (lane.controls.length === 0) return;
  const { orders, tip } = activation;
  const later: CallHead[] = [];
  for (const control of lane.controls) {
    // this activation goes: the order is for the next one
    if (tip.claim === "released" || (control.type === "wake" && orders.closing !== undefined)) {
      later.push(control);
    } else if (control.type === "wake" && tip.claim === "owner") {
      out.push({ type: "done", call: control.number });
    } else {
      accept(orders, control);
      if (control.type === "wake") wantClaim(tip);
      // a session that is deleted needs no snapshot, and the tombstone waits for no page
      else abandonFold(activation.fold);
    }
  }
  lane.controls = later;
}

/** What the orders of that kind wanted has happened. */
export function carryOut({ out }: Step, orders: Orders, what: CallType): void {
  for (const { number } of takeOrders(orders, ({ type }) => type === what))
    out.push({ type: "done", call: number });
}

/** The caller's deadline passed, or the caller went away. An end that was taken is carried out still. */
export function abandonOrder(step: Step, call: number, why: AbandonReason): void {
  const { lane } = step;
  const isMeant = (control: CallHead): boolean => control.number === call;
  const taken = lane.activation === undefined ? [] : takeOrders(lane.activation.orders, isMeant);
  if (taken.length === 0 && !lane.controls.some(isMeant)) return;
  lane.controls = lane.controls.filter((control) => !isMeant(control));
  const ends = taken.some(({ type }) => type === "end");
  failCall(step, call, ends ? carriedOutStill(why) : left(why, taken.length > 0 ? "perhaps" : "no"));
}
