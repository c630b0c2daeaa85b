export {
  type Answer,
  type AnswerMeta,
  checkAnswer,
  decodeAnswer,
  decodeAnswerMeta,
  decodeFailure,
  encodeAnswer,
  encodeAnswerMeta,
  encodeFailure,
  type Failed,
  type Failure,
  fail,
  type Reply,
  type Submit,
  type TakeBack,
} from "./answer.ts";
export type { AskMessage, CheckMessage } from "./ask.ts";
export {
  type AbandonReason,
  abandonCode,
  abandonReasonOf,
  anonymous,
  type Call,
  type CallDraft,
  type CallHead,
  type CallId,
  type CallType,
  type Content,
  chainMax,
  createNumbers,
  draftCall,
  noChain,
  type OnBusy,
  type SessionCall,
} from "./call.ts";
export { decodeCall, decodeSessionCall, encodeCall, encodeSessionCall } from "./codec.ts";
export { type CronTime, nextCronMs } from "./cron.ts";
export { onBusyOf } from "./on-busy.ts";
export { asksMax, left, listOf, noAskedMethod, noMethod, shown, tooManyAsks } from "./refusals.ts";
export {
  type Again,
  bytesOfSends,
  decodeSends,
  encodeSends,
  isAtOnce,
  noSends,
  outboxBytesMax,
  outboxMessagesMax,
  readSend,
  type Send,
  sendBytes,
  type Timing,
  timersMax,
  turnSendsMax,
  writeSend,
} from "./send.ts";
export { tokenOf } from "./token.ts";
