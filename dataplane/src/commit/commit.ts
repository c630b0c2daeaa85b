import { createInbox, type Msg, MsgHdrsImpl } from "@nats-io/transport-node";
import { type Clock, wordsOf } from "@voda/stdx";
import { type Connection, rethrown } from "../nats/index.ts";
import { readAck } from "./ack.ts";
import { type AppendDone, type AppendRequest, type Departure, Pipeline } from "./pipeline.ts";

/** Where appends go. */
export interface Appends {
  /** `done` is called exactly once and never inside this call, whatever happens to the connection. */
  append(append: AppendRequest, done: AppendDone): void;
}

/** Appends that are published at once in each tick of the event loop, and answered in any order. */
export type Commit = Appends & AsyncDisposable;

/** An outcome is up to this much later than `ackTimeoutMs`: one timer for all appends, not one for each. */
const sweepMs = 250;

/** `connection` stays open when this is closed: others use it too. */
export function openCommit(connection: Connection, clock: Clock): Commit {
  return new PipelinedCommit(connection, clock);
}

class PipelinedCommit implements Commit {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #pipeline = new Pipeline();
  readonly #inbox: string;
  readonly #headers = new AppendHeaders();
  readonly #stopListening: () => void;
  readonly #unsubscribe: () => void;
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

  append(append: AppendRequest, done: AppendDone): void {
    this.#pipeline.add(append, done);
    this.#planTurn();
  }

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
    const nowMs = this.#clock.monotonicMs();
    for (let next = this.#pipeline.depart(nowMs); next !== undefined; next = this.#pipeline.depart(nowMs))
      this.#publish(next);
    this.#planSweep();
  }

  #publish({ append, token }: Departure): void {
    this.#headers.of(append);
    const reply = `${this.#inbox}${token}`;
    // the client throws for what it will never send, such as a subject with a space: nothing went out
    try {
      this.#connection.nats.publish(append.subject, append.payload, { headers: this.#headers, reply });
    } catch (error) {
      const description = `the client refused it: ${wordsOf(error)}`;
      this.#pipeline.settle(token, { type: "error", code: 0, description });
    }
  }

  #answer(message: Msg): void {
    const token = Number(message.subject.slice(this.#inbox.length));
    this.#pipeline.settle(token, readAck(message.data));
    this.#goOn();
  }

  /** There may be room for what waits. */
  #goOn(): void {
    if (this.#pipeline.queued > 0) this.#planTurn();
  }

  #planSweep(): void {
    if (this.#pipeline.inFlight > 0) this.#sweep ??= setTimeout(() => this.#expire(), sweepMs);
  }

  #expire(): void {
    this.#sweep = undefined;
    this.#pipeline.expire(this.#clock.monotonicMs());
    this.#goOn();
    this.#planSweep();
  }

  #giveUpAll(): void {
    clearTimeout(this.#sweep);
    this.#sweep = undefined;
    this.#pipeline.giveUp();
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
