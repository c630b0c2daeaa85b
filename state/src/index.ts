export type { Counter, ReadCounter } from "./counter.ts";
export { type Dot, originMax } from "./delta.ts";
export {
  beginEnvelope,
  type Crc32,
  endEnvelope,
  envelopeBytes,
  envelopeCrc,
  envelopeKinds,
  envelopeMagic,
  envelopeVersion,
  openEnvelope,
} from "./envelope.ts";
export { ClosedError, CorruptError, SchemaError, TooLargeError } from "./errors.ts";
export type { Check, FieldKind } from "./field.ts";
export { frozenJson, type Json, jsonDepthMax, readJson, writeJson } from "./json.ts";
export { type MapState, mapKeyBytesMax, type ReadMap } from "./map.ts";
export {
  type FieldSchema,
  fieldNameBytesMax,
  fieldsMax,
  type ReadState,
  type Schema,
  type State,
} from "./schema.ts";
export { openState, type SessionState, type Tools, type Transaction, type View } from "./session-state.ts";
export { pagesMax } from "./snapshot.ts";
export { type ReadText, type TextState, textLengthMax } from "./text.ts";
