export { checkDelta, checkHead, checkPage, isDamage } from "./check.ts";
export { type Dot, originMax } from "./delta.ts";
export {
  beginEnvelope,
  type Crc32,
  type Envelope,
  type Extension,
  endEnvelope,
  envelopeBytes,
  envelopeCrc,
  envelopeKinds,
  envelopeMagic,
  envelopeVersion,
  openEnvelope,
} from "./envelope.ts";
export {
  ClosedError,
  CorruptError,
  RefusedValueError,
  SchemaError,
  TooLargeError,
  UnsupportedFormatError,
} from "./errors.ts";
export type { Check, FieldSchema } from "./field.ts";
export { frozenJson, readJson, writeJson } from "./json.ts";
export { mapKeyBytesMax } from "./kinds/map.ts";
export { setTextBytesMax } from "./kinds/set.ts";
export { textLengthMax } from "./kinds/text.ts";
export { fieldNameBytesMax, fieldsMax, type ReadState, type Schema, type State } from "./schema.ts";
export { openState, type SessionState, type Tools, type Transaction, type View } from "./session-state.ts";
export { pagesMax } from "./snapshot.ts";
