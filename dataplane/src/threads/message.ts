// A message between two threads: its number in a frame, how it is written and how it is read, in one place
// for each.
import { DecodeError } from "@voda/stdx";
import { type FrameCursor, type FrameDraft, FrameError, type FrameFields } from "../frame/index.ts";

interface Message {
  readonly type: string;
}

/** Bytes that leave the ring are copied: its slots are used again. */
export interface MessageCodec<M extends Message> {
  /** Of the frames that carry it, among those of its direction. */
  readonly number: number;
  encode(message: M): FrameDraft;
  decode(frame: FrameCursor): M;
}

/** What lies in a frame in a form of its own. @throws FrameError */
export function readPart<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    throw new FrameError(`${what}: ${cause.message}`, { cause });
  }
}

/** One for each message of a direction. */
export type MessageCodecs<M extends Message> = {
  readonly [T in M["type"]]: MessageCodec<Extract<M, { readonly type: T }>>;
};

/** One direction of a channel. */
export interface Direction<M extends Message> {
  readonly encode: (message: M) => FrameFields;
  /** @throws FrameError */
  readonly decode: (frame: FrameCursor) => M;
}

/** By type one way, by number the other: both are looked up, not searched. A number is never used again. */
export function direction<M extends Message>(
  codecs: Readonly<Record<M["type"], MessageCodec<M>>>,
): Direction<M> {
  const byNumber: MessageCodec<M>[] = [];
  for (const codec of Object.values<MessageCodec<M>>(codecs)) byNumber[codec.number] = codec;
  return {
    encode(message) {
      const type: M["type"] = message.type;
      const codec = codecs[type];
      const frame = codec.encode(message);
      frame.kind = codec.number;
      return frame;
    },
    decode(frame) {
      const codec = byNumber[frame.kind];
      if (codec === undefined)
        throw new FrameError(`frame of kind ${frame.kind} is no message of this direction`);
      return codec.decode(frame);
    },
  };
}
