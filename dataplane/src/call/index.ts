export {
  type Answer,
  type AnswerMeta,
  decodeAnswer,
  decodeAnswerMeta,
  decodeFailure,
  type Enter,
  encodeAnswer,
  encodeAnswerMeta,
  encodeFailure,
  type Failed,
  type Failure,
  fail,
  type Reply,
  type TakeBack,
} from "./answer.ts";
export {
  type AbandonReason,
  anonymous,
  type Call,
  type CallHead,
  type CallId,
  type CallType,
  type Content,
  createNumbers,
  type SessionCall,
} from "./call.ts";
export { decodeCall, decodeSessionCall, encodeCall, encodeSessionCall } from "./codec.ts";
