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
      if (!read(tag, input)) throw new FrameError(`unknown meta entry ${tag}`);
      last = tag;
    }
  } catch (cause) {
    if (cause instanceof DecodeError) throw new FrameError(`meta: ${cause.message}`, { cause });
    throw cause;
  }
}

export function writeNumber(out: ByteWriter, tag: number, value: number): void {
  if (value === 0) return;
  out.u8(tag);
  out.varint(value);
}

export function writeText(out: ByteWriter, tag: number, value: string | undefined): void {
  if (value === undefined) return;
  out.u8(tag);
  out.text(value);
}
