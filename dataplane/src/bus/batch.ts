// Frames of one loop turn for one peer, in one NATS message: version u8, sender's node id, then each frame after its length.
import { ByteReader, ByteWriter } from "@voda/stdx";
import { FrameCursor, type FrameFields, frameLength, frameMemory, writeFrame } from "../frame/index.ts";

const VERSION = 1;

export interface Batch {
  readonly bytes: number;
  readonly frames: readonly FrameFields[];
}

export function encodeBatch(sender: string, frames: readonly FrameFields[]): Uint8Array {
  const writer = new ByteWriter(256);
  writer.u8(VERSION);
  writer.text(sender);
  for (const fields of frames) {
    const length = frameLength(fields.subject.length, fields.meta.length, fields.payload.length);
    const frame = new Uint8Array(length);
    writeFrame(frameMemory(frame), 0, fields);
    writer.u32(length);
    writer.raw(frame);
  }
  return writer.finish();
}

/** Calls `visit` for each frame; the cursor is valid until it returns. @throws DecodeError | FrameError */
export function decodeBatch(bytes: Uint8Array, visit: (sender: string, frame: FrameCursor) => void): void {
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version !== VERSION) throw new RangeError(`batch of version ${version}; known is ${VERSION}`);
  const sender = reader.text();
  const cursor = new FrameCursor();
  while (reader.left > 0) {
    const frame = reader.raw(reader.u32());
    cursor.open(frameMemory(frame), 0, frame.length);
    visit(sender, cursor);
  }
}
