import { createInbox, type Msg, MsgHdrsImpl } from "@nats-io/transport-node";
import { natsPayloadBytesMax } from "@voda/proto/wire";
import { assert, BoundedQueue, type Clock, SlotTable } from "@voda/stdx";
import { type Connection, rethrown } from "../nats/index.ts";
import { type AppendOutcome, readAck } from "./ack.ts";

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

/** Where appends go. */
export interface Appends {
  /** `done` is called exactly once and never inside this call, whatever happens to the connection. */
  append(append: AppendRequest, done: AppendDone): void;
}

/** Appends that are published at once in each turn of the event loop, and answered in any order. */
export interface Commit extends Appends, AsyncDisposable {
  /** Appends without an outcome. */
  readonly waiting: number;
}

/**
 * After it an append is `unanswered`: a late acknowledgement is dropped, and whoever appended finds out what
 * is stored. A store that is up answers within 10 ms at the 99th percentile.
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
/** An outcome is up to this much later than `ackTimeoutMs`: one timer for all appends, not one for each. */
const sweepMs = 250;

interface InFlight {
  readonly done: AppendDone;
  readonly bytes: number;
  readonly sentAtMs: number;
}
interface Queued {
  readonly append: AppendRequest;
  readonly done: AppendDone;
}

/** `connection` stays open when this is closed: others use it too. */
export function openCommit(connection: Connection, clock: Clock): Commit {
  return new PipelinedCommit(connection, clock);
}

class PipelinedCommit implements Commit {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #slots = new SlotTable<InFlight>(inFlightMax);
  readonly #queue = new BoundedQueue<Queued>(queueMax);
  readonly #inbox: string;
  readonly #headers = new AppendHeaders();
  readonly #stopListening: () => void;
  readonly #unsubscribe: () => void;
  #bytes = 0;
  #turnPlanned = false;
  #sweep: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(connection: Connection, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
    this.#inbox = `${createInbox()}.`;
    const subscription = connection.nats.subscribe(`${this.#inbox}*`, {
      // one subscription for all answers: the token in the subject says which append is meant
      callback: rethrown((error, message) => {
        if (error === null) this.#answer(message);
      }),
    });
    this.#unsubscribe = () => subscription.unsubscribe();
    this.#stopListening = connection.onEvent((event) => {
      if (event.type === "disconnected") this.#giveUpAll();
    });
  }

  get waiting(): number {
    return this.#slots.size + this.#queue.size;
  }

  append(append: AppendRequest, done: AppendDone): void {
    assert(
      append.payload.length <= natsPayloadBytesMax,
      `record of ${append.payload.length} bytes exceeds natsPayloadBytesMax ${natsPayloadBytesMax}`,
    );
    assert(this.#queue.push({ append, done }), `more than ${queueMax} appends wait`);
    this.#planTurn();
  }

  /** All that waits becomes unanswered, and so does what is appended later. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopListening();
    this.#unsubscribe();
    this.#giveUpAll();
  }

  #planTurn(): void {
    if (this.#turnPlanned) return;
    this.#turnPlanned = true;
    setImmediate(() => this.#publishQueued());
  }

  // All publishes of one turn are one write: the client flushes in the microtask after this task.
  #publishQueued(): void {
    this.#turnPlanned = false;
    // the client would keep a publish while it dials and send it after the reconnect: by then another may own
    // the session
    if (this.#closed || !this.#connection.isUp()) {
      this.#giveUpAll();
      return;
    }
    while (this.#bytes < inFlightBytesMax && this.#slots.size < inFlightMax) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      this.#publish(next);
    }
    if (this.#slots.size > 0) this.#sweep ??= setTimeout(() => this.#expire(), sweepMs);
  }

  #publish({ append, done }: Queued): void {
    const bytes = append.payload.length;
    const slot = this.#slots.take({ done, bytes, sentAtMs: this.#clock.monotonicMs() });
    this.#bytes += bytes;
    const generation = this.#slots.generation(slot);
    // generation and slot in one number: the answer to an append that was given up finds its slot with
    // another generation
    const reply = `${this.#inbox}${generation * inFlightMax + slot}`;
    this.#headers.of(append);
    // the client throws for what it will never send, such as a subject with a space: nothing went out
    try {
      this.#connection.nats.publish(append.subject, append.payload, { headers: this.#headers, reply });
    } catch (error) {
      this.#finish(slot, generation, {
        type: "error",
        code: 0,
        description: `the client refused it: ${String(error)}`,
      });
    }
  }

  #answer(message: Msg): void {
    const token = Number(message.subject.slice(this.#inbox.length));
    // "No responders" (503, no body): JetStream is not there at the moment. It says nothing of an earlier
    // copy.
    const outcome: AppendOutcome = message.data.length === 0 ? { type: "unanswered" } : readAck(message.data);
    this.#finish(token % inFlightMax, Math.floor(token / inFlightMax), outcome);
    if (this.#queue.size > 0 && !this.#closed) this.#planTurn();
  }

  #finish(slot: number, generation: number, outcome: AppendOutcome): void {
    const waiting = this.#slots.release(slot, generation);
    if (waiting === undefined) return; // a late answer
    this.#bytes -= waiting.bytes;
    waiting.done(outcome);
  }

  #expire(): void {
    this.#sweep = undefined;
    const before = this.#clock.monotonicMs() - ackTimeoutMs;
    this.#slots.forEach((waiting, slot, generation) => {
      if (waiting.sentAtMs <= before) this.#finish(slot, generation, { type: "unanswered" });
    });
    if (this.#closed) return;
    if (this.#queue.size > 0) this.#planTurn();
    if (this.#slots.size > 0) this.#sweep ??= setTimeout(() => this.#expire(), sweepMs);
  }

  // What `done` appends anew is not touched: it waits for the next turn.
  #giveUpAll(): void {
    clearTimeout(this.#sweep);
    this.#sweep = undefined;
    // first all slots are free, then all are told: one who appends again must find room
    const all: AppendDone[] = [];
    this.#slots.forEach((waiting, slot, generation) => {
      this.#slots.release(slot, generation);
      all.push(waiting.done);
    });
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) all.push(next.done);
    this.#bytes = 0;
    for (const done of all) done({ type: "unanswered" });
  }
}

/**
 * The headers of one append after the other: the client encodes them inside `publish`. Its own class looks at
 * every letter of every name and value of every message; these names are fixed, and fences are subjects.
 */
class AppendHeaders extends MsgHdrsImpl {
  #text = "";

  of({ expect, fence, ttlSeconds, rollup }: AppendRequest): void {
    let text = `NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: ${expect}\r\nNats-Expected-Last-Subject-Sequence-Subject: ${fence}\r\n`;
    if (ttlSeconds !== undefined) text += `Nats-TTL: ${ttlSeconds}s\r\n`;
    if (rollup === true) text += "Nats-Rollup: sub\r\n";
    this.#text = `${text}\r\n`;
  }

  override encode(): Uint8Array {
    // one byte per letter: subjects and numbers are ASCII
    return Buffer.from(this.#text, "latin1");
  }
}
