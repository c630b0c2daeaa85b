// The codec of proto/frame/frame.fbs in its one layout: header, offsets and vectors always stand in the same order, so a frame is
// written front to back without a builder, and checked by comparing constants instead of by a general verifier.
//
//   0 root offset | 4 "VDF1" | 8 vtable | 20 table: vtable offset, header (24..64), offsets of the vectors | 76 subject | meta | payload

/** Bytes that are not a frame in the canonical layout. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/** Where frames are written and read: one per ring or buffer, made once. */
export interface FrameMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

export interface FrameFields {
  readonly kind: number;
  readonly flags: number;
  readonly code: number;
  readonly call: number;
  readonly activation: number;
  readonly turn: number;
  /** Milliseconds since 1970, finite. */
  readonly deadlineMs: number;
  /** 16 bytes. */
  readonly token: Uint8Array;
  readonly subject: Uint8Array;
  readonly meta: Uint8Array;
  readonly payload: Uint8Array;
}

const ROOT = 20;
const IDENTIFIER = 0x31464456; // "VDF1"
const VTABLE_SIZES = 12 | (56 << 16); // bytes of the vtable, bytes of the table
const VTABLE_HEADER_SUBJECT = 4 | (44 << 16);
const VTABLE_META_PAYLOAD = 48 | (52 << 16);
const TABLE_TO_VTABLE = 12;
const HEADER_AT = 24;
const TOKEN_AT = HEADER_AT + 24;
const TOKEN_BYTES = 16;
const SUBJECT_OFFSET_AT = 64;
const META_OFFSET_AT = 68;
const PAYLOAD_OFFSET_AT = 72;
const SUBJECT_AT = 76;
const LENGTH_BYTES = 4;
/** A frame with three empty vectors. */
export const frameBytesMin = 88;

const metaAt = (subject: number): number => align4(SUBJECT_AT + LENGTH_BYTES + subject);
/** The length word stands 4 bytes before a multiple of 8, so that the bytes of the payload are 8-aligned. */
const payloadAt = (metaAt: number, meta: number): number =>
  ((metaAt + LENGTH_BYTES + meta + LENGTH_BYTES + 7) & ~7) - LENGTH_BYTES;
const align4 = (at: number): number => (at + 3) & ~3;

export function frameMemory(bytes: Uint8Array): FrameMemory {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

/** Bytes of a frame whose vectors have these lengths. */
export function frameLength(subject: number, meta: number, payload: number): number {
  return payloadAt(metaAt(subject), meta) + LENGTH_BYTES + payload;
}

/** Writes a frame at `at` and returns its length. The caller has made room for `frameLength(...)` bytes. */
export function writeFrame(into: FrameMemory, at: number, fields: FrameFields): number {
  const { bytes, view } = into;
  const { subject, meta, payload, token } = fields;
  const metaStart = metaAt(subject.length);
  const payloadStart = payloadAt(metaStart, meta.length);
  const length = payloadStart + LENGTH_BYTES + payload.length;
  if (at + length > bytes.length)
    throw new RangeError(`frame of ${length} bytes at ${at} exceeds the memory of ${bytes.length}`);
  if (token.length !== TOKEN_BYTES)
    throw new RangeError(`token of ${token.length} bytes; it has ${TOKEN_BYTES}`);
  if (!Number.isFinite(fields.deadlineMs)) throw new RangeError(`deadline of ${fields.deadlineMs}`);
  view.setUint32(at, ROOT, true);
  view.setUint32(at + 4, IDENTIFIER, true);
  view.setUint32(at + 8, VTABLE_SIZES, true);
  view.setUint32(at + 12, VTABLE_HEADER_SUBJECT, true);
  view.setUint32(at + 16, VTABLE_META_PAYLOAD, true);
  view.setUint32(at + 20, TABLE_TO_VTABLE, true);
  view.setUint32(
    at + HEADER_AT,
    (fields.kind & 0xff) | ((fields.flags & 0xff) << 8) | (fields.code << 16),
    true,
  );
  view.setUint32(at + HEADER_AT + 4, fields.call, true);
  view.setUint32(at + HEADER_AT + 8, fields.activation, true);
  view.setUint32(at + HEADER_AT + 12, fields.turn, true);
  view.setFloat64(at + HEADER_AT + 16, fields.deadlineMs, true);
  bytes.set(token, at + TOKEN_AT);
  view.setUint32(at + SUBJECT_OFFSET_AT, SUBJECT_AT - SUBJECT_OFFSET_AT, true);
  view.setUint32(at + META_OFFSET_AT, metaStart - META_OFFSET_AT, true);
  view.setUint32(at + PAYLOAD_OFFSET_AT, payloadStart - PAYLOAD_OFFSET_AT, true);
  writeVector(into, at + SUBJECT_AT, subject, at + metaStart);
  writeVector(into, at + metaStart, meta, at + payloadStart);
  writeVector(into, at + payloadStart, payload, at + length);
  return length;
}

/** Padding is zeroed: a ring's slot holds old bytes, and a frame has one form only. */
function writeVector({ bytes, view }: FrameMemory, at: number, vector: Uint8Array, end: number): void {
  view.setUint32(at, vector.length, true);
  const start = at + LENGTH_BYTES;
  if (vector.length < 64) for (let i = 0; i < vector.length; i += 1) bytes[start + i] = vector[i] ?? 0;
  else bytes.set(vector, start);
  for (let i = start + vector.length; i < end; i += 1) bytes[i] = 0;
}

/**
 * An opened frame. One cursor serves any number of frames, one after the other. Scalars and bounds are copies, so a writer that
 * changes shared memory behind the reader's back can change bytes of a vector, never where it lies.
 */
export class FrameCursor {
  kind = 0;
  flags = 0;
  code = 0;
  call = 0;
  activation = 0;
  turn = 0;
  deadlineMs = 0;
  /** Absolute positions in the memory, with the lengths in bytes. */
  subjectAt = 0;
  subjectLength = 0;
  metaAt = 0;
  metaLength = 0;
  payloadAt = 0;
  payloadLength = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** Opens the frame of exactly `length` bytes at `at`. @throws FrameError when it is not canonical; the cursor is void then */
  open({ bytes, view }: FrameMemory, at: number, length: number): void {
    if (at < 0 || length < frameBytesMin || at + length > bytes.length) {
      throw new FrameError(
        `${length} bytes at ${at} of ${bytes.length} cannot be a frame; the smallest has ${frameBytesMin}`,
      );
    }
    checkLayout(view, at);
    const subject = view.getUint32(at + SUBJECT_AT, true);
    if (subject > length - frameBytesMin) throw outside("subject", subject, length);
    const metaStart = metaAt(subject);
    const meta = view.getUint32(at + metaStart, true);
    if (meta > length - frameBytesMin - subject) throw outside("meta", meta, length);
    const payloadStart = payloadAt(metaStart, meta);
    if (payloadStart + LENGTH_BYTES > length) throw outside("payload", 0, length);
    const payload = view.getUint32(at + payloadStart, true);
    if (payload !== length - payloadStart - LENGTH_BYTES) throw outside("payload", payload, length);
    const offsetsHold =
      view.getUint32(at + META_OFFSET_AT, true) === metaStart - META_OFFSET_AT &&
      view.getUint32(at + PAYLOAD_OFFSET_AT, true) === payloadStart - PAYLOAD_OFFSET_AT;
    if (!offsetsHold) throw new FrameError("the frame's vectors are not where the canonical layout has them");
    checkZero(bytes, at + SUBJECT_AT + LENGTH_BYTES + subject, at + metaStart);
    checkZero(bytes, at + metaStart + LENGTH_BYTES + meta, at + payloadStart);
    this.#readHeader(view, at);
    this.subjectAt = at + SUBJECT_AT + LENGTH_BYTES;
    this.subjectLength = subject;
    this.metaAt = at + metaStart + LENGTH_BYTES;
    this.metaLength = meta;
    this.payloadAt = at + payloadStart + LENGTH_BYTES;
    this.payloadLength = payload;
    this.#bytes = bytes;
    this.#at = at;
  }

  #readHeader(view: DataView, at: number): void {
    const word = view.getUint32(at + HEADER_AT, true);
    this.kind = word & 0xff;
    this.flags = (word >>> 8) & 0xff;
    this.code = word >>> 16;
    this.call = view.getUint32(at + HEADER_AT + 4, true);
    this.activation = view.getUint32(at + HEADER_AT + 8, true);
    this.turn = view.getUint32(at + HEADER_AT + 12, true);
    this.deadlineMs = view.getFloat64(at + HEADER_AT + 16, true);
    if (!Number.isFinite(this.deadlineMs)) throw new FrameError(`the frame's deadline is ${this.deadlineMs}`);
  }

  /** Views, not copies: void when the memory is reused. */
  subject(): Uint8Array {
    return this.#bytes.subarray(this.subjectAt, this.subjectAt + this.subjectLength);
  }

  meta(): Uint8Array {
    return this.#bytes.subarray(this.metaAt, this.metaAt + this.metaLength);
  }

  payload(): Uint8Array {
    return this.#bytes.subarray(this.payloadAt, this.payloadAt + this.payloadLength);
  }

  /** Copies that outlive the memory. */
  metaCopy(): Uint8Array {
    return this.#bytes.slice(this.metaAt, this.metaAt + this.metaLength);
  }

  payloadCopy(): Uint8Array {
    return this.#bytes.slice(this.payloadAt, this.payloadAt + this.payloadLength);
  }

  token(): Uint8Array {
    return this.#bytes.subarray(this.#at + TOKEN_AT, this.#at + TOKEN_AT + TOKEN_BYTES);
  }
}

function checkLayout(view: DataView, at: number): void {
  const holds =
    view.getUint32(at, true) === ROOT &&
    view.getUint32(at + 4, true) === IDENTIFIER &&
    view.getUint32(at + 8, true) === VTABLE_SIZES &&
    view.getUint32(at + 12, true) === VTABLE_HEADER_SUBJECT &&
    view.getUint32(at + 16, true) === VTABLE_META_PAYLOAD &&
    view.getUint32(at + 20, true) === TABLE_TO_VTABLE &&
    view.getUint32(at + SUBJECT_OFFSET_AT, true) === SUBJECT_AT - SUBJECT_OFFSET_AT;
  if (!holds) throw new FrameError("the bytes do not begin with the layout of a frame");
}

function checkZero(bytes: Uint8Array, from: number, to: number): void {
  for (let i = from; i < to; i += 1)
    if (bytes[i] !== 0) throw new FrameError(`padding of ${bytes[i]} at byte ${i}; it is 0`);
}

function outside(what: string, claimed: number, length: number): FrameError {
  return new FrameError(`${what} of ${claimed} bytes does not fit a frame of ${length}`);
}
