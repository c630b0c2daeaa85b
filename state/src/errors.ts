/**
 * Bytes whose checksum, position or content do not fit: never applied. Load the session again from what is
 * durable.
 */
export class CorruptError extends Error {
  override readonly name = "CorruptError";
}

/**
 * Bytes of a later version of voda, whole and not for this one: never taken for damage. Read them with that
 * version.
 */
export class UnsupportedFormatError extends Error {
  override readonly name = "UnsupportedFormatError";
}

/** The schema of this revision does not fit what the session holds, or is not a schema. */
export class SchemaError extends Error {
  override readonly name = "SchemaError";
}

/** A transaction or the whole state would pass a bound in bytes; nothing was applied. */
export class TooLargeError extends RangeError {
  override readonly name = "TooLargeError";
}

/**
 * A value, key or range that a field does not take: of another type, out of range, nested too deep, or no
 * JSON. Nothing was applied. Where it came with a call, it is the mistake of whoever sent it.
 */
export class RefusedValueError extends TypeError {
  /** What its catcher in an agent is promised; the class is only for those who tell it to callers. */
  override readonly name = "TypeError";
}

/** A handle was used after its transaction or view ended. */
export class ClosedError extends Error {
  override readonly name = "ClosedError";
}
