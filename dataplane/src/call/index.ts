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
export type { AsideMessage, AskMessage, CheckMessage, OwnMessage } from "./ask.ts";
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
  type SentId,
  type SessionCall,
  type TimeLimit,
} from "./call.ts";
export { decodeCall, decodeSessionCall, encodeCall, encodeSessionCall } from "./codec.ts";
export { firstCronMs, laterCronMs } from "./cron.ts";
export { isFinalCode } from "./final-codes.ts";
export { onBusyOf } from "./on-busy.ts";
export { asksMax, left, listOf, noAskedMethod, noMethod, shown, tooManyAsks } from "./refusals.ts";
export {
  bytesOfSends,
  decodeSends,
  encodeSends,
  isAtOnce,
  type KeptDue,
  noSends,
  type OutboxChange,
  outboxBytesMax,
  outboxMessagesMax,
  type Recurrence,
  readSend,
  recurrenceOf,
  type Send,
  sendBytes,
  timerBytes,
  timersMax,
  turnSendsMax,
  writeSend,
} from "./send.ts";
export {
  type Drawn,
  decodeDrawn,
  decodeRecalled,
  encodeDrawn,
  encodeRecalled,
  journalBytesMax,
  type Recalled,
  readDrawn,
  type StepAnswer,
  type StepDoneMessage,
  type StepMessage,
  seedBytes,
  stepBytesMax,
  turnJournalBytesMax,
  turnStepsMax,
  turnTimesMax,
  writeDrawn,
} from "./step.ts";
export { ThreadFault } from "./thread-fault.ts";
export { tokenOf } from "./token.ts";
