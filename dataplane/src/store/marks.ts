// High-water marks of the sessions of this node: what was acknowledged is noted at once, and stored a little
// later, so that a session under load costs one more message per second.
import { decodeMark, encodeMark, type Mark, mayReplace } from "@voda/proto/mark";
import type { NamedSession, SessionToken } from "@voda/proto/session";
import { markSubject, marksStream } from "@voda/proto/wire";
import type { Clock } from "@voda/stdx";
import type { AppendOutcome, Commit } from "../commit/index.ts";
import { directLast, type Requests, StoreError } from "../nats/index.ts";

export interface Marks extends AsyncDisposable {
  /** `isUrgent`: stored at once. */
  note(session: NamedSession, mark: Mark, isUrgent: boolean): void;
  /** The highest that is known, stored or not. @throws StoreError */
  read(token: SessionToken): Promise<Mark | undefined>;
}

/** What is acknowledged is marked within this time. */
export const markMsMax = 1_000;
/** Marks that are due go out in steps: no burst of them holds up appends. */
const tickMs = 50;
/** Marks whose places in the stream are remembered: another one costs a read. */
const placesMax = 65_536;
/** A node that ends waits so long for its last marks. */
const closeMsMax = 1_000;

export interface MarksOptions {
  readonly requests: Requests;
  readonly commit: Commit;
  readonly clock: Clock;
  /** How long the mark of a tombstone stays: longer than the tombstone. */
  readonly goneSeconds: number;
  readonly onFailed: (error: unknown) => void;
}

interface Unstored extends NamedSession {
  mark: Mark;
  dueMs: number;
  isSent: boolean;
}

/** Disposal stores what is noted. */
export function openMarks(options: MarksOptions): Marks {
  return new StoredMarks(options);
}

class StoredMarks implements Marks {
  readonly #options: MarksOptions;
  readonly #unstored = new Map<SessionToken, Unstored>();
  /** Sequences of stored marks in their stream; the oldest is forgotten first. */
  readonly #places = new Map<SessionToken, number>();
  readonly #ticking: NodeJS.Timeout;
  #onEmpty: (() => void) | undefined;

  constructor(options: MarksOptions) {
    this.#options = options;
    this.#ticking = setInterval(() => this.#sendDue(), tickMs);
  }

  note(session: NamedSession, mark: Mark, isUrgent: boolean): void {
    const known = this.#unstored.get(session.token);
    const nowMs = this.#options.clock.monotonicMs();
    if (known === undefined) {
      const { token, name } = session;
      const entry = { token, name, mark, dueMs: nowMs + (isUrgent ? 0 : markMsMax), isSent: false };
      this.#unstored.set(token, entry);
      if (isUrgent) this.#send(entry);
      return;
    }
    known.mark = mark;
    if (!isUrgent) return;
    known.dueMs = nowMs;
    if (!known.isSent) this.#send(known);
  }

  async read(token: SessionToken): Promise<Mark | undefined> {
    // it may be stored, and forgotten here, while a read that was sent before it is on its way
    const before = this.#unstored.get(token)?.mark;
    const stored = await this.#stored(token);
    const own = this.#unstored.get(token)?.mark ?? before;
    return own !== undefined && (stored === undefined || mayReplace(own, stored)) ? own : stored;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#ticking);
    for (const entry of this.#unstored.values()) if (!entry.isSent) this.#send(entry);
    if (this.#unstored.size === 0 || !this.#options.requests.connection.isUp()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, closeMsMax);
    this.#onEmpty = resolve;
    await promise;
    clearTimeout(timer);
    this.#onEmpty = undefined;
  }

  async #stored(token: SessionToken): Promise<Mark | undefined> {
    const last = await directLast(this.#options.requests, marksStream(0), markSubject(token));
    if (last === undefined) return undefined;
    this.#keepPlace(token, last.seq);
    return decodeMark(last.bytes)?.mark;
  }

  #sendDue(): void {
    if (!this.#options.requests.connection.isUp()) return;
    const nowMs = this.#options.clock.monotonicMs();
    for (const entry of this.#unstored.values()) {
      if (!entry.isSent && entry.dueMs <= nowMs) this.#send(entry);
    }
  }

  /**
   * Over the mark that is known to be there: one that came meanwhile from another node is looked at
   * first.
   */
  #send(entry: Unstored): void {
    const { token, name, mark } = entry;
    const subject = markSubject(token);
    entry.isSent = true;
    // of what is noted while it is on its way
    entry.dueMs = this.#options.clock.monotonicMs() + markMsMax;
    this.#options.commit.append(
      {
        subject,
        fence: subject,
        expect: this.#places.get(token) ?? 0,
        payload: encodeMark(mark, name),
        ...(mark.isGone && { ttlSeconds: this.#options.goneSeconds }),
      },
      (outcome) => void this.#sent(entry, mark, outcome),
    );
  }

  async #sent(entry: Unstored, mark: Mark, outcome: AppendOutcome): Promise<void> {
    const { token } = entry;
    if (outcome.type === "acked") this.#keepPlace(token, outcome.seq);
    if (outcome.type === "error") this.#options.onFailed(outcome);
    const isStored =
      outcome.type === "acked" || (outcome.type === "refused" && (await this.#isNeedless(token, mark)));
    entry.isSent = false;
    if (isStored && entry.mark === mark) {
      this.#unstored.delete(token);
      if (this.#unstored.size === 0) this.#onEmpty?.();
    } else if (outcome.type === "unanswered") {
      entry.dueMs = 0; // as soon as the connection is up
    } else if (outcome.type === "refused" || this.#isDue(entry)) {
      this.#send(entry);
    }
  }

  /** A node that ends waits for nothing. */
  #isDue({ dueMs }: Unstored): boolean {
    return this.#onEmpty !== undefined || dueMs <= this.#options.clock.monotonicMs();
  }

  /** Whether a higher one is there, from this node or another. */
  async #isNeedless(token: SessionToken, mark: Mark): Promise<boolean> {
    try {
      const stored = await this.#stored(token);
      if (stored === undefined) this.#places.delete(token);
      return stored !== undefined && !mayReplace(mark, stored);
    } catch (error) {
      if (error instanceof StoreError) return false; // the store is away: it is sent again
      throw error;
    }
  }

  #keepPlace(token: SessionToken, seq: number): void {
    this.#places.delete(token);
    this.#places.set(token, seq);
    const oldest = this.#places.size > placesMax ? this.#places.keys().next().value : undefined;
    if (oldest !== undefined) this.#places.delete(oldest);
  }
}
