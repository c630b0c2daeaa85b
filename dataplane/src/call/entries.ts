// A block of entries: `tag u8, value` in ascending order of their tags, each at most once, absent where there
// is nothing to say.
import { ByteReader, type ByteWriter, DecodeError } from "@voda/stdx";
import { FrameError } from "../frame/index.ts";

/** `read` says whether it knows the tag. @throws FrameError */
export function readEntries(bytes: Uint8Array, read: (tag: number, input: ByteReader) => boolean): void {
  if (bytes.length === 0) return;
  // A TextDecoder refuses shared memory, and a copy cannot change between a check and its use.
  const input = new ByteReader(new Uint8Array(bytes));
  let last = 0;
  try {
    while (input.left > 0) {
      const tag = input.u8();
      if (tag <= last) throw new FrameError(`meta entry ${tag} after ${last}; entries ascend`);
      // both ends are of one version, or of versions that know each other's entries: what is unknown may
      // change what the call means
      if (!read(tag, input)) throw new FrameError(`unknown meta entry ${tag}`);
      last = tag;
    }
  } catch (cause) {
    if (cause instanceof DecodeError) throw new FrameError(`meta: ${cause.message}`, { cause });
    throw cause;
  }
}

/** 0 is what a missing entry means: it is not written. */
export function writeNumber(out: ByteWriter, tag: number, value: number): void {
  if (value === 0) return;
  out.u8(tag);
  out.varint(value);
}

/** An empty text is written: it differs from none. */
export function writeText(out: ByteWriter, tag: number, value: string | undefined): void {
  if (value === undefined) return;
  out.u8(tag);
  out.text(value);
}
