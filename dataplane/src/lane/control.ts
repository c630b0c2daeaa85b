// What orders from outside do to a session in memory.
import { type AbandonReason, type CallHead, type CallType, left } from "../call/index.ts";
import { hasDue, wantsBell } from "./delivery.ts";
import { abandonFold } from "./fold.ts";
import type { Activation, Pass, Slice } from "./lane.ts";
import { accept, noteFreshBell, type Orders, takeOrders } from "./orders.ts";
import { forgetBell, hurryTargets } from "./outbox.ts";
import { answerSeals } from "./seals.ts";
import { carriedOutStill, failCall } from "./share.ts";
import { wantClaim } from "./tip.ts";

/**
 * Takes orders as soon as there is an activation to carry them out: a `wake` needs a durable claim, `deliver`
 * that nothing is left to deliver too, an `end` lets the running calls finish first.
 */
export const control: Slice = { advance };

function advance(pass: Pass, activation: Activation): void {
  const { lane } = pass;
  const { orders, tip } = activation;
  if (lane.controls.length > 0) lane.controls = lane.controls.filter((one) => !take(pass, activation, one));
  if (orders.waiting.length === 0) return;
  answerSeals(pass, activation);
  const isMeant = orders.waiting.some(isDelivery);
  if (!isMeant || tip.claim !== "owner" || wantsBell(activation) || hasDue(pass, activation)) return;
  const isWaiting = activation.timers.table.size > 0;
  if (isWaiting && !isBellFresh(activation)) return;
  for (const { number: call } of takeOrders(orders, isDelivery)) pass.out.push({ type: "done", call });
  // whoever gave the order takes away what was rung until now
  if (!isWaiting) forgetBell(activation.outbox);
}

/**
 * With timers left a bell must be there that is newer than the one that was found: also when this session had
 * rung before, since somebody who was not its owner any more may have rung after that.
 */
function isBellFresh({ orders, outbox }: Activation): boolean {
  if (!orders.isBellFresh) forgetBell(outbox);
  noteFreshBell(orders);
  return outbox.bell.type === "rung";
}

const isDelivery = ({ type, id }: CallHead): boolean => type === "deliver" && id === undefined;

/** False when this activation goes: the order is for the next one. */
function take({ out, world }: Pass, activation: Activation, order: CallHead): boolean {
  const { orders, tip, fold } = activation;
  const isEnd = order.type === "end";
  if (tip.claim === "released" || (!isEnd && orders.closing !== undefined)) return false;
  if (order.type === "wake" && tip.claim === "owner") {
    out.push({ type: "done", call: order.number });
    return true;
  }
  accept(orders, order, world.monotonicMs);
  // a session that is deleted needs no snapshot, and the tombstone waits for no page
  if (!isEnd) wantClaim(tip);
  else {
    abandonFold(fold);
    hurryTargets(activation.outbox);
  }
  return true;
}

/** What the orders of that kind wanted has happened. */
export function carryOut({ out }: Pass, orders: Orders, what: CallType): void {
  for (const { number } of takeOrders(orders, ({ type }) => type === what))
    out.push({ type: "done", call: number });
}

/** The caller's deadline passed, or the caller went away. An end that was taken is carried out still. */
export function abandonOrder(pass: Pass, call: number, why: AbandonReason): void {
  const { lane } = pass;
  const isMeant = (order: CallHead): boolean => order.number === call;
  const taken = lane.activation === undefined ? [] : takeOrders(lane.activation.orders, isMeant);
  const waiting = lane.controls.filter(isMeant);
  if (taken.length === 0 && waiting.length === 0) return;
  lane.controls = lane.controls.filter((order) => !isMeant(order));
  const ends = taken.some(({ type }) => type === "end");
  const hasBegun = taken.length > 0 || waiting.some(({ mayHaveBegun }) => mayHaveBegun);
  failCall(pass, call, ends ? carriedOutStill(why) : left(why, hasBegun ? "perhaps" : "none"));
}
