// One NATS message between nodes: all frames of one loop tick. version u8, sender's node id, sender's process
// u32, frames after lengths.
import { ByteReader, ByteWriter, DecodeError } from "@voda/stdx";
import { FrameCursor, type FrameFields, frameLength, frameMemory, writeFrame } from "../frame/index.ts";

const version = 2;
const lengthBytes = 4;

/** Who sent a batch: `processId` tells two processes apart that have the node's id one after the other. */
export interface Sender {
  readonly node: string;
  readonly processId: number;
}

/** Bytes that the frame takes in a batch, without the four of its length. */
export const fieldsLength = (fields: FrameFields): number =>
  frameLength(fields.subject.length, fields.meta.length, fields.payload.length);

/** One buffer for the whole message: each frame is written where it is sent from. */
export function encodeBatch(sender: Sender, frames: readonly FrameFields[]): Uint8Array {
  const head = new ByteWriter(64);
  head.u8(version);
  head.text(sender.node);
  head.u32(sender.processId);
  let length = head.length;
  for (const fields of frames) length += lengthBytes + fieldsLength(fields);
  const memory = frameMemory(new Uint8Array(length));
  let at = head.length;
  memory.bytes.set(head.peek());
  for (const fields of frames) {
    const written = writeFrame(memory, at + lengthBytes, fields);
    memory.view.setUint32(at, written, true);
    at += lengthBytes + written;
  }
  return memory.bytes;
}

/** Calls `visit` for each frame; the cursor is valid until it returns. @throws DecodeError, FrameError */
export function decodeBatch(bytes: Uint8Array, visit: (sender: Sender, frame: FrameCursor) => void): void {
  const reader = new ByteReader(bytes);
  const written = reader.u8();
  if (written !== version) throw new DecodeError(`batch of version ${written}; known is ${version}`);
  const sender: Sender = { node: reader.text(), processId: reader.u32() };
  const cursor = new FrameCursor();
  while (reader.left > 0) {
    const frame = reader.raw(reader.u32());
    cursor.open(frameMemory(frame), 0, frame.length);
    visit(sender, cursor);
  }
}
