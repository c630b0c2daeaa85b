// What a turn is told that does what it may not do, or that nobody waits for any more.
import { type AskRequest, type Handler, VodaError } from "voda/definition";
import type { AbandonReason } from "../call/index.ts";

/** As a handler writes it. */
export const askWay = ({ agent, key, method }: AskRequest): string =>
  `ctx.ask(${agent}, ${JSON.stringify(key)}).${method}`;
export const sendsLate = (way: string): VodaError =>
  new VodaError("canceled", `${way}: the turn has ended; call it before the handler ends`, {
    reason: "interrupted",
  });
export const sendsReadonly = (way: string): VodaError =>
  new VodaError("invalid_argument", `${way}: a readonly handler sends nothing and sets no timer`, {
    reason: "bad_request",
  });

/** Of the signal of a call. */
export function abortReason(why: AbandonReason): ConstructorParameters<typeof VodaError> {
  return why === "deadline"
    ? ["deadline_exceeded", "the caller's deadline has passed", { reason: "turn_timeout" }]
    : ["canceled", "the caller went away", { reason: "interrupted" }];
}

/** What bounds its time. */
export const turnLimitName = (handler: Handler): string =>
  handler.type === "plain" && handler.turnMsMax !== undefined ? "the handler's timeout" : "maxTurn";
