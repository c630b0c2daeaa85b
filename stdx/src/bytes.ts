// Little-endian reading and writing with varints (LEB128): the alphabet of records, deltas and pages.

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Input that does not decode; the message says where. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}

/** Small results share a buffer: one of its own costs more than what most of them hold. */
const slabBytes = 8192;
const slabShareMax = 1024;
/** V8 keeps typed arrays of up to 64 bytes beside their other fields, which costs least. */
const inlineBytesMax = 64;
let slab = new Uint8Array(slabBytes);
let slabAt = 0;

/**
 * Texts of up to so many UTF-16 units are encoded in place: an array for each costs five times what the
 * encoding does. Their length takes at most two bytes.
 */
const textInPlaceMax = 4096;
const lengthBytes = (length: number): number => (length < 0x80 ? 1 : 2);

/** What `ByteWriter.text` writes of it, without the length before it. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // the first of a pair counts one byte, and the second three, as each does that is alone
    if (unit < 0x800) bytes += 1;
    else if ((text.codePointAt(i) ?? 0) <= 0xffff) bytes += 2;
  }
  return bytes;
}

/** Memory for a finished result: of its own, or a part of the slab that small ones share. */
function room(length: number): Uint8Array<ArrayBuffer> {
  if (length <= inlineBytesMax || length > slabShareMax) return new Uint8Array(length);
  if (slabAt + length > slabBytes) {
    slab = new Uint8Array(slabBytes);
    slabAt = 0;
  }
  slabAt += length;
  return slab.subarray(slabAt - length, slabAt);
}

/** Grows as needed; `finish` hands out an exact copy, and the writer can be used again. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** An integer of 0 to 255. */
  u8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** An integer of 0 to 65,535. */
  u16(value: number): void {
    this.#reserve(2);
    this.#view.setUint16(this.#length, value, true);
    this.#length += 2;
  }

  /** An integer of 0 to 2^32 - 1. */
  u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  /** A double, for numbers that are no integers. */
  f64(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  /** An integer of 0 to 2^53 - 1. */
  varint(value: number): void {
    // Most are small; the comparison also tells integers from all else.
    if ((value & 0x7f) === value) {
      this.u8(value);
      return;
    }
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`varint of ${value}`);
    this.#reserve(8);
    // Division, not shifts: those would cut at 32 bits.
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
  }

  /** Bytes without their length. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Bytes after their length. */
  block(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** UTF-8 after its length. Lone surrogates become U+FFFD: callers refuse them before. */
  text(text: string): void {
    if (text.length > textInPlaceMax) {
      this.block(utf8.encode(text));
      return;
    }
    // room for the length and three bytes per unit, so that nothing moves until the text counts as written
    this.#reserve(8 + 3 * text.length);
    const guessed = lengthBytes(text.length);
    const from = this.#length + guessed;
    const { written } = utf8.encodeInto(text, this.#bytes.subarray(from));
    const needed = lengthBytes(written);
    if (needed !== guessed) this.#bytes.copyWithin(this.#length + needed, from, from + written);
    this.varint(written);
    this.#length += written;
  }

  /** Overwrites four bytes that were written before. */
  patchU32(at: number, value: number): void {
    if (at + 4 > this.#length) throw new RangeError(`patch at ${at} beyond length ${this.#length}`);
    this.#view.setUint32(at, value, true);
  }

  /** What was written so far, without a copy; void after the next write. */
  // A subarray: whoever keeps it beyond the next write copies it.
  peek(from = 0): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(from, this.#length);
  }

  /** Forgets what was written and keeps the memory. */
  // Scratch writers are cleared, not made anew.
  clear(): void {
    this.#length = 0;
  }

  /** What was written, in memory that nobody else writes to. */
  finish(): Uint8Array<ArrayBuffer> {
    const done = room(this.#length);
    done.set(this.peek());
    this.#length = 0;
    return done;
  }

  /** Twice as much each time, so that a long result is copied a few times only. */
  #reserve(more: number): void {
    const need = this.#length + more;
    if (need <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(need, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** Reads what ByteWriter wrote; every read is bounded. @throws DecodeError */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bytes that were not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)] ?? 0;
  }

  u16(): number {
    return this.u8() + this.u8() * 0x100;
  }

  u32(): number {
    return this.u16() + this.u16() * 0x1_0000;
  }

  f64(): number {
    const at = this.#take(8);
    // A view for each: numbers that are no integers are rare, and most readers meet none.
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + at, 8).getFloat64(0, true);
  }

  /** Refuses what no writer gives: more than 53 bits. */
  varint(): number {
    let value = 0;
    let scale = 1;
    // 8 bytes carry 56 bits, of which 53 may be set.
    for (let i = 0; i < 8; i += 1) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw new DecodeError(`varint beyond 2^53 at byte ${this.#at}`);
        return value;
      }
      scale *= 0x80;
    }
    throw new DecodeError(`varint of more than 8 bytes at byte ${this.#at}`);
  }

  /** Bytes of a length that is known. A view, not a copy. */
  raw(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Bytes after their length. A view, not a copy. */
  block(): Uint8Array {
    return this.raw(this.varint());
  }

  /** Strict: bytes that are no UTF-8 are damage, and would come back as others. */
  text(): string {
    try {
      return strictUtf8.decode(this.block());
    } catch (cause) {
      if (cause instanceof DecodeError) throw cause;
      throw new DecodeError(`text that is not UTF-8 before byte ${this.#at}`, { cause });
    }
  }

  /** A count of things that take at least `bytesEach`: refuses numbers that the input cannot hold. */
  count(bytesEach = 1): number {
    const count = this.varint();
    if (count * bytesEach > this.left) throw new DecodeError(`count of ${count} in ${this.left} bytes`);
    return count;
  }

  /** Whoever has read all it knows says so: bytes after it are of a newer writer or damage. */
  end(): void {
    if (this.left > 0) throw new DecodeError(`${this.left} bytes after the end`);
  }

  /** The one place where the input's end is looked at. */
  #take(length: number): number {
    if (length > this.left)
      throw new DecodeError(`${length} bytes wanted at byte ${this.#at}, ${this.left} left`);
    const at = this.#at;
    this.#at += length;
    return at;
  }
}

/** Whether both have the same bytes. */
export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}
