// Both directions between the I/O thread and a worker: messages as frames in rings.
import { DecodeError } from "@voda/stdx";
import { FrameCursor, FrameError, type FrameFields, frameLength, writeFrame } from "../frame/index.ts";
import { RingReader, RingWriter } from "../ring/index.ts";

/** Answers of one thread that wait for room: further ones are refused, with what they would change. */
export const threadAnswersBytesMax = 64 * 1024 * 1024;

/** What one side of a channel holds; the port carries the bells of both rings. */
export interface Ends {
  readonly input: SharedArrayBuffer;
  readonly output: SharedArrayBuffer;
  readonly port: MessagePort;
}

/** One side's end; disposal closes both rings and the port. */
export interface ThreadChannel<Out> extends Disposable {
  /** Never fails: what the ring has no room for waits here, in order. */
  readonly send: (message: Out) => void;
  /** Of messages that wait here. */
  readonly waitingBytes: () => number;
  /** Hears nothing from now on, or goes on: for reasons of its owner's own. */
  hold(isHeld: boolean): void;
  /** Takes what the other side has said, at most a ring of it: it may not come to ringing the bell. */
  takeRest(): void;
}

/** How messages of each direction are written and read. */
export interface ChannelOptions<Out, In> {
  readonly encode: (message: Out) => FrameFields;
  readonly decode: (frame: FrameCursor) => In;
  readonly onMessage: (message: In) => void;
  /** Before the messages that one loop tick brings. */
  readonly onTick?: () => void;
  /** What the other side wrote, in either ring, cannot be: its thread must end. */
  readonly onBroken: (error: Error) => void;
  /**
   * Messages wait here for room in the ring, or do not any more. Who is told so hears nothing meanwhile: it
   * would only say more. One side of the two, for the other one must always read.
   */
  readonly onBehind?: (isBehind: boolean) => void;
}

/**
 * Reads from now on. A message that cannot be read ends the channel: what follows it would be read wrongly.
 */
export function openChannel<Out, In>(ends: Ends, options: ChannelOptions<Out, In>): ThreadChannel<Out> {
  const writer = new RingWriter(ends.output, ends.port, options.onBroken);
  const cursor = new FrameCursor();
  const backlog = new Backlog();

  const { onTick = () => undefined } = options;
  const reader = new RingReader(ends.input, ends.port, {
    onTick,
    onRecord(memory, at, length) {
      const message = read(memory, at, length);
      if (message !== undefined) options.onMessage(message);
    },
    onBroken: options.onBroken,
  });
  const read = (...record: Parameters<FrameCursor["open"]>): In | undefined => {
    try {
      cursor.open(...record);
      return options.decode(cursor);
    } catch (error) {
      if (!(error instanceof FrameError || error instanceof DecodeError)) throw error;
      reader.close();
      options.onBroken(error);
      return undefined;
    }
  };
  const write = (fields: FrameFields): boolean => {
    const length = lengthOf(fields);
    const at = writer.reserve(length);
    if (at === false) return false;
    writer.commit(at, writeFrame(writer.memory, at, fields));
    return true;
  };
  const drain = (): void => {
    const sent = backlog.shift(write);
    // the thread's table of begun calls is exact again
    if (sent > 0 && backlog.size === 0) setBehind(false);
    waitForSpace();
  };
  const hold = holdOf(reader);
  const setBehind = (isBehind: boolean): void => {
    if (options.onBehind === undefined) return;
    options.onBehind(isBehind);
    hold("behind", isBehind);
  };
  const waitForSpace = (): void => {
    const next = backlog.first;
    if (next !== undefined) writer.onSpace(lengthOf(next), drain);
  };

  return {
    send(message) {
      const fields = options.encode(message);
      // never past one that waits: order is what the other side relies on
      if (backlog.size === 0 && write(fields)) return;
      backlog.push(fields);
      if (backlog.size > 1) return;
      setBehind(true);
      waitForSpace();
    },
    waitingBytes: () => backlog.bytes,
    hold: (isHeld) => hold("owner", isHeld),
    takeRest: () => reader.takeRest(),
    [Symbol.dispose]() {
      writer.close();
      reader.close();
      ends.port.close();
    },
  };
}

/** A reader that is held for one reason is not let go for another one. */
function holdOf(reader: RingReader): (reason: "behind" | "owner", isHeld: boolean) => void {
  const reasons = new Set<string>();
  return (reason, isHeld) => {
    if (isHeld) reasons.add(reason);
    else reasons.delete(reason);
    reader.hold(reasons.size > 0);
  };
}

/** Messages that wait for room in the ring, the oldest first. */
class Backlog {
  readonly #waiting: FrameFields[] = [];
  bytes = 0;

  get size(): number {
    return this.#waiting.length;
  }

  get first(): FrameFields | undefined {
    return this.#waiting[0];
  }

  push(fields: FrameFields): void {
    this.#waiting.push(fields);
    this.bytes += lengthOf(fields);
  }

  /** Takes out what `write` has taken, up to the first that it has not; how many. */
  shift(write: (fields: FrameFields) => boolean): number {
    const left = this.#waiting.findIndex((fields) => !write(fields));
    const sent = this.#waiting.splice(0, left < 0 ? this.#waiting.length : left);
    for (const fields of sent) this.bytes -= lengthOf(fields);
    return sent.length;
  }
}

function lengthOf({ subject, meta, payload }: FrameFields): number {
  return frameLength(subject.length, meta.length, payload.length);
}
