// Which appends are sent when, and what becomes of each. It knows no connection and no clock, so that every
// order of answers, losses and time can be tested.
import { natsPayloadBytesMax } from "@voda/proto/wire";
import { assert, BoundedQueue, SlotTable } from "@voda/stdx";
import type { AppendOutcome } from "./ack.ts";

/** One message for a stream. */
export interface AppendRequest {
  readonly subject: string;
  /** Filter of subjects whose last sequence must be `expect`, else the append is refused. */
  readonly fence: string;
  /** 0 means that the fence has no message. */
  readonly expect: number;
  /** Nobody writes to it before `done`. */
  readonly payload: Uint8Array;
  /** The message goes by itself after this time. */
  readonly ttlSeconds?: number;
  /** All earlier messages of the subject go when this one is stored. */
  readonly rollup?: boolean;
}

/** Hears what became of one append, once. It may append anew at once. */
export type AppendDone = (outcome: AppendOutcome) => void;

/**
 * After it an append is `unanswered`: a late acknowledgement is dropped, and whoever appended finds out what
 * is stored.
 */
export const ackTimeoutMs = 2_000;
/** Published without an answer: the rest waits here. The server cuts a client that is 64 MiB behind. */
export const inFlightBytesMax = 16 * 1024 * 1024;
/**
 * Appends of all sessions of the node that wait for the server; the number is in the subject of the reply.
 */
export const inFlightMax = 65_536;
/** Beyond it an assertion fails: what waits is one record of each session in memory, and their pages. */
const queueMax = 1_048_576;

/** What is to be sent now; its answer is told by `token`. */
export interface Departure {
  readonly append: AppendRequest;
  readonly token: number;
}

interface Queued {
  readonly append: AppendRequest;
  readonly done: AppendDone;
}
interface InFlight {
  readonly done: AppendDone;
  readonly bytes: number;
  readonly sentAtMs: number;
}

/** Appends on their way, and those that wait for their turn. Times are monotonic. */
export class Pipeline {
  readonly #slots = new SlotTable<InFlight>(inFlightMax);
  readonly #queue = new BoundedQueue<Queued>(queueMax);
  #bytes = 0;

  /** Those that were not sent. */
  get queued(): number {
    return this.#queue.size;
  }

  /** Those without an answer. */
  get inFlight(): number {
    return this.#slots.size;
  }

  add(append: AppendRequest, done: AppendDone): void {
    assert(
      append.payload.length <= natsPayloadBytesMax,
      `record of ${append.payload.length} bytes exceeds natsPayloadBytesMax ${natsPayloadBytesMax}`,
    );
    assert(this.#queue.push({ append, done }), `more than ${queueMax} appends wait`);
  }

  /** `undefined` when none waits, or as much is on its way as may be. */
  depart(nowMs: number): Departure | undefined {
    if (this.#bytes >= inFlightBytesMax || this.#slots.size >= inFlightMax) return undefined;
    const next = this.#queue.shift();
    if (next === undefined) return undefined;
    const { append, done } = next;
    const bytes = append.payload.length;
    const slot = this.#slots.take({ done, bytes, sentAtMs: nowMs });
    this.#bytes += bytes;
    // generation and slot in one number: the answer to an append that was given up finds its slot with
    // another generation
    return { append, token: this.#slots.generation(slot) * inFlightMax + slot };
  }

  /** The outcome is known; one that comes late, or twice, is left out. */
  settle(token: number, outcome: AppendOutcome): void {
    const waiting = this.#slots.release(token % inFlightMax, Math.floor(token / inFlightMax));
    if (waiting === undefined) return;
    this.#bytes -= waiting.bytes;
    waiting.done(outcome);
  }

  /** What was sent `ackTimeoutMs` ago is waited for no longer. */
  expire(nowMs: number): void {
    const before = nowMs - ackTimeoutMs;
    this.#slots.forEach(({ sentAtMs }, slot, generation) => {
      if (sentAtMs <= before) this.settle(generation * inFlightMax + slot, { type: "unanswered" });
    });
  }

  /** All become unanswered. What they append anew when they hear it is not touched. */
  giveUp(): void {
    // first all slots are free, then all are told: one who appends again must find room
    const all: AppendDone[] = [];
    this.#slots.forEach(({ done }, slot, generation) => {
      this.#slots.release(slot, generation);
      all.push(done);
    });
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) all.push(next.done);
    this.#bytes = 0;
    for (const done of all) done({ type: "unanswered" });
  }
}
