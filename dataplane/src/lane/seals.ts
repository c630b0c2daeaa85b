// Letters that their senders give up: only this session can say that one was not taken, and see to it that it
// never will be. So neither clocks nor copies that are late matter (PROTOCOL.md 6.2).
import type { CallHead } from "../call/index.ts";
import { recordTurnsMax } from "./constants.ts";
import { callText } from "./dedupe.ts";
import type { Activation, Lane, Pass } from "./lane.ts";
import { takeOrders } from "./orders.ts";
import type { SeenMark } from "./record-outbox.ts";
import { fateOf } from "./seen.ts";
import { failCall, notTaken } from "./share.ts";

/** Orders with the id of a letter are seals. A copy that is here is taken or not before it is given up. */
const isReady = ({ running }: Lane, { id }: CallHead): boolean =>
  id?.type === "sent" && !running.has(callText(id));

/** Those that the lane says all of already. */
export function answerSeals(pass: Pass, { orders, seen }: Activation): void {
  const fate = ({ id }: CallHead) => (id?.type === "sent" ? fateOf(seen, id.source, id.n) : "open");
  for (const seal of takeOrders(orders, (one) => fate(one) !== "open"))
    if (fate(seal) === "taken") pass.out.push({ type: "done", call: seal.number });
    else failCall(pass, seal.number, notTaken());
}

/** Whether the next record has some to carry out. */
export const hasSeals = (lane: Lane, { orders }: Activation): boolean =>
  orders.waiting.some((one) => isReady(lane, one));

/** They are carried out when the record is accepted; as many as it may have turns. */
export const takeSeals = (lane: Lane, { orders }: Activation): CallHead[] =>
  takeOrders(orders, (one) => isReady(lane, one), recordTurnsMax);

/** As the record has them. */
export const sealed = (seals: readonly CallHead[], usedAtMs: number): SeenMark[] =>
  seals.flatMap(({ id }) =>
    id?.type === "sent" ? [{ source: id.source, n: id.n, usedAtMs, isGivenUp: true }] : [],
  );
