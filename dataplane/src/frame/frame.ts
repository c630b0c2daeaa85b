// The codec of proto/frame/frame.fbs in its one layout: header, offsets and vectors always stand in the same
// order, so a frame is written front to back without a builder, and checked by comparing constants instead of
// by a general verifier.
//
//   0 root offset | 4 "VDF2" | 8 vtable | 20 table: vtable offset, header (24..80), offsets of the vectors |
// 92 subject | meta | payload
//
// Numbers that count up for the life of a process have 64 bits: at a million a second they end after 285
// years. They are checked when written, since one that is cut off would name somebody else's call or session.

/** Bytes that are not a frame in the canonical layout. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/** Where frames are written and read: one per ring or buffer, made once. */
export interface FrameMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** What a frame says beside its place in memory. */
export interface FrameFields {
  readonly kind: number;
  readonly flags: number;
  readonly code: number;
  /** 32 random bits of the process that gave out the number of the call; between nodes only. */
  readonly processId: number;
  /** Whole numbers of 0 to 2^53 - 1. */
  readonly call: number;
  readonly activation: number;
  readonly turn: number;
  /** Milliseconds until nobody waits any more, from when the frame was written; finite. */
  readonly remainingMs: number;
  /** 16 bytes: the incarnation that the frame is meant for; zeros for a frame that any life may read. */
  readonly life: Uint8Array;
  readonly subject: Uint8Array;
  readonly meta: Uint8Array;
  readonly payload: Uint8Array;
}

const nothing = new Uint8Array(0);

const anyLife = new Uint8Array(16);

/**
 * A frame that says nothing until its fields are set. A class, so that all frames have one shape, and none is
 * copied to say more: copies of copies took more time than writing the frame.
 */
export class FrameDraft implements FrameFields {
  kind = 0;
  flags = 0;
  code = 0;
  processId = 0;
  call = 0;
  activation = 0;
  turn = 0;
  remainingMs = 0;
  life: Uint8Array = anyLife;
  subject: Uint8Array = nothing;
  meta: Uint8Array = nothing;
  payload: Uint8Array = nothing;
}

/** Where it is written once in a while: by name. */
export function draft(fields: Partial<FrameFields>): FrameDraft {
  return Object.assign(new FrameDraft(), fields);
}

const rootAt = 20;
const identifier = 0x32464456; // "VDF2"
const vtableSizes = 12 | (72 << 16); // bytes of the vtable, bytes of the table
const vtableHeaderSubject = 4 | (60 << 16);
const vtableMetaPayload = 64 | (68 << 16);
const tableToVtable = 12;
const headerAt = 24;
const processAt = headerAt + 4;
const callAt = headerAt + 8;
const activationAt = headerAt + 16;
const turnAt = headerAt + 24;
const remainingAt = headerAt + 32;
const lifeAt = headerAt + 40;
const lifeBytes = 16;
const subjectOffsetAt = 80;
const metaOffsetAt = 84;
const payloadOffsetAt = 88;
const subjectAt = 92;
const lengthBytes = 4;
const word = 2 ** 32;
/** A frame with three empty vectors. */
export const frameBytesMin = 104;

const metaAt = (subject: number): number => align4(subjectAt + lengthBytes + subject);
/** The length word stands 4 bytes before a multiple of 8, so that the bytes of the payload are 8-aligned. */
const payloadAt = (metaStart: number, meta: number): number =>
  ((metaStart + lengthBytes + meta + lengthBytes + 7) & ~7) - lengthBytes;
const align4 = (at: number): number => (at + 3) & ~3;

/** Both views of the bytes, nothing copied. */
export function frameMemory(bytes: Uint8Array): FrameMemory {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

/** Bytes of a frame whose vectors have these lengths. */
export function frameLength(subject: number, meta: number, payload: number): number {
  return payloadAt(metaAt(subject), meta) + lengthBytes + payload;
}

/** Writes a frame at `at` and returns its length. The caller has made room for `frameLength(...)` bytes. */
export function writeFrame(into: FrameMemory, at: number, fields: FrameFields): number {
  const { bytes, view } = into;
  const { subject, meta, payload, life } = fields;
  const metaStart = metaAt(subject.length);
  const payloadStart = payloadAt(metaStart, meta.length);
  const length = payloadStart + lengthBytes + payload.length;
  if (at + length > bytes.length)
    throw new RangeError(`frame of ${length} bytes at ${at} exceeds the memory of ${bytes.length}`);
  if (life.length !== lifeBytes) throw new RangeError(`life of ${life.length} bytes; it has ${lifeBytes}`);
  if (!Number.isFinite(fields.remainingMs)) throw new RangeError(`remaining time of ${fields.remainingMs}`);
  checkNumber("processId", fields.processId, word - 1);
  checkNumber("call", fields.call, Number.MAX_SAFE_INTEGER);
  checkNumber("activation", fields.activation, Number.MAX_SAFE_INTEGER);
  checkNumber("turn", fields.turn, Number.MAX_SAFE_INTEGER);
  view.setUint32(at, rootAt, true);
  view.setUint32(at + 4, identifier, true);
  view.setUint32(at + 8, vtableSizes, true);
  view.setUint32(at + 12, vtableHeaderSubject, true);
  view.setUint32(at + 16, vtableMetaPayload, true);
  view.setUint32(at + 20, tableToVtable, true);
  view.setUint32(
    at + headerAt,
    (fields.kind & 0xff) | ((fields.flags & 0xff) << 8) | (fields.code << 16),
    true,
  );
  view.setUint32(at + processAt, fields.processId, true);
  writeNumber(view, at + callAt, fields.call);
  writeNumber(view, at + activationAt, fields.activation);
  writeNumber(view, at + turnAt, fields.turn);
  view.setFloat64(at + remainingAt, fields.remainingMs, true);
  bytes.set(life, at + lifeAt);
  view.setUint32(at + subjectOffsetAt, subjectAt - subjectOffsetAt, true);
  view.setUint32(at + metaOffsetAt, metaStart - metaOffsetAt, true);
  view.setUint32(at + payloadOffsetAt, payloadStart - payloadOffsetAt, true);
  writeVector(into, at + subjectAt, subject, at + metaStart);
  writeVector(into, at + metaStart, meta, at + payloadStart);
  writeVector(into, at + payloadStart, payload, at + length);
  return length;
}

function checkNumber(what: string, value: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < 0 || value > max)
    throw new RangeError(`${what} ${value} of a frame is no whole number of 0 to ${max}`);
}

/** As 64 bits, little-endian; by halves, since a BigInt is an object. */
function writeNumber(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, (value / word) >>> 0, true);
}

function readNumber(view: DataView, at: number): number {
  const value = view.getUint32(at, true) + view.getUint32(at + 4, true) * word;
  if (!Number.isSafeInteger(value)) throw new FrameError(`number ${value} of the frame is beyond 2^53 - 1`);
  return value;
}

/** Padding is zeroed: a ring's slot holds old bytes, and a frame has one form only. */
function writeVector({ bytes, view }: FrameMemory, at: number, vector: Uint8Array, end: number): void {
  view.setUint32(at, vector.length, true);
  const start = at + lengthBytes;
  if (vector.length < 64) for (let i = 0; i < vector.length; i += 1) bytes[start + i] = vector[i] ?? 0;
  else bytes.set(vector, start);
  for (let i = start + vector.length; i < end; i += 1) bytes[i] = 0;
}

/**
 * An opened frame. One cursor serves any number of frames, one after the other. Scalars and bounds are
 * copies, so a writer that changes shared memory behind the reader's back can change bytes of a vector, never
 * where it lies.
 */
export class FrameCursor {
  kind = 0;
  flags = 0;
  code = 0;
  processId = 0;
  call = 0;
  activation = 0;
  turn = 0;
  remainingMs = 0;
  /** Absolute positions in the memory, with the lengths in bytes. */
  subjectAt = 0;
  subjectLength = 0;
  metaAt = 0;
  metaLength = 0;
  payloadAt = 0;
  payloadLength = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;

  /**
   * Opens the frame of exactly `length` bytes at `at`. @throws FrameError when it is not canonical; the
   * cursor is void then
   */
  open({ bytes, view }: FrameMemory, at: number, length: number): void {
    if (at < 0 || length < frameBytesMin || at + length > bytes.length) {
      throw new FrameError(
        `${length} bytes at ${at} of ${bytes.length} cannot be a frame; the smallest has ${frameBytesMin}`,
      );
    }
    checkLayout(view, at);
    const subject = view.getUint32(at + subjectAt, true);
    if (subject > length - frameBytesMin) throw outside("subject", subject, length);
    const metaStart = metaAt(subject);
    const meta = view.getUint32(at + metaStart, true);
    if (meta > length - frameBytesMin - subject) throw outside("meta", meta, length);
    const payloadStart = payloadAt(metaStart, meta);
    if (payloadStart + lengthBytes > length) throw outside("payload", 0, length);
    const payload = view.getUint32(at + payloadStart, true);
    if (payload !== length - payloadStart - lengthBytes) throw outside("payload", payload, length);
    const offsetsHold =
      view.getUint32(at + metaOffsetAt, true) === metaStart - metaOffsetAt &&
      view.getUint32(at + payloadOffsetAt, true) === payloadStart - payloadOffsetAt;
    if (!offsetsHold) throw new FrameError("the frame's vectors are not where the canonical layout has them");
    checkZero(bytes, at + subjectAt + lengthBytes + subject, at + metaStart);
    checkZero(bytes, at + metaStart + lengthBytes + meta, at + payloadStart);
    this.#readHeader(view, at);
    this.subjectAt = at + subjectAt + lengthBytes;
    this.subjectLength = subject;
    this.metaAt = at + metaStart + lengthBytes;
    this.metaLength = meta;
    this.payloadAt = at + payloadStart + lengthBytes;
    this.payloadLength = payload;
    this.#bytes = bytes;
    this.#at = at;
  }

  #readHeader(view: DataView, at: number): void {
    const first = view.getUint32(at + headerAt, true);
    this.kind = first & 0xff;
    this.flags = (first >>> 8) & 0xff;
    this.code = first >>> 16;
    this.processId = view.getUint32(at + processAt, true);
    this.call = readNumber(view, at + callAt);
    this.activation = readNumber(view, at + activationAt);
    this.turn = readNumber(view, at + turnAt);
    this.remainingMs = view.getFloat64(at + remainingAt, true);
    if (!Number.isFinite(this.remainingMs))
      throw new FrameError(`the frame's remaining time is ${this.remainingMs}`);
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

  life(): Uint8Array {
    return this.#bytes.subarray(this.#at + lifeAt, this.#at + lifeAt + lifeBytes);
  }
}

function checkLayout(view: DataView, at: number): void {
  const holds =
    view.getUint32(at, true) === rootAt &&
    view.getUint32(at + 4, true) === identifier &&
    view.getUint32(at + 8, true) === vtableSizes &&
    view.getUint32(at + 12, true) === vtableHeaderSubject &&
    view.getUint32(at + 16, true) === vtableMetaPayload &&
    view.getUint32(at + 20, true) === tableToVtable &&
    view.getUint32(at + subjectOffsetAt, true) === subjectAt - subjectOffsetAt;
  if (!holds) throw new FrameError("the bytes do not begin with the layout of a frame");
}

function checkZero(bytes: Uint8Array, from: number, to: number): void {
  for (let i = from; i < to; i += 1)
    if (bytes[i] !== 0) throw new FrameError(`padding of ${bytes[i]} at byte ${i}; it is 0`);
}

function outside(what: string, claimed: number, length: number): FrameError {
  return new FrameError(`${what} of ${claimed} bytes does not fit a frame of ${length}`);
}
