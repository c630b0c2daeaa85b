// The streams of the store under a living node: on each new connection they are looked at before any session
// reads or writes. One that a server lost is made anew, and said aloud. Where log and marks are other ones
// than this node began with, a session that lost everything looks like one that never was.
import { setTimeout as delay } from "node:timers/promises";
import { lostStream } from "@voda/proto/streams";
import { logStream, marksStream } from "@voda/proto/wire";
import type { Logger } from "pino";
import { type Requests, StoreError } from "../nats/index.ts";
import { createStreams } from "./store.ts";

/** In the order in which it happens: `away` and `there` by turns; `replaced` once, before a `there`. */
export type StreamsEvent =
  | { readonly type: "away" }
  /** Sessions must be verified before their next append or read (PROTOCOL.md 5.9). */
  | { readonly type: "there" }
  /** Nothing that was acknowledged before can be told from what never was. */
  | { readonly type: "replaced" };

export interface Streams extends Disposable {
  /** Whether they were looked at on this connection. */
  isThere(): boolean;
  onEvent(listener: (event: StreamsEvent) => void): () => void;
}

export interface StreamsOptions {
  readonly requests: Requests;
  readonly replicas: number;
  readonly log: Logger;
}

const retryMs = 200;
/** A store of some size takes a second or two to open. */
const triesBeforeWarning = 25;
const notFound = 10059;

/** Resolves when all streams are there. @throws IncompatibleStreamError, UnsupportedStoreError, StoreError */
export async function openStreams(options: StreamsOptions): Promise<Streams> {
  const { requests, replicas, log } = options;
  logLost(log, (await createStreams(requests, replicas)).lost);
  const [firstLog, firstMarks] = await Promise.all([
    birthOf(requests, logStream(0)),
    birthOf(requests, marksStream(0)),
  ]);
  return new WatchedStreams(options, { log: firstLog, marks: firstMarks });
}

interface Births {
  readonly log: string | undefined;
  readonly marks: string | undefined;
}

class WatchedStreams implements Streams {
  readonly #options: StreamsOptions;
  readonly #first: Births;
  readonly #listeners = new Set<(event: StreamsEvent) => void>();
  readonly #stopListening: () => void;
  /** Of the connection: what an earlier one began to look at does not count any more. */
  #life = 0;
  #isThere = true;
  #isReplaced = false;

  constructor(options: StreamsOptions, first: Births) {
    this.#options = options;
    this.#first = first;
    this.#stopListening = options.requests.connection.onEvent(({ type }) => {
      if (type !== "reconnected") this.#leave();
      if (type !== "disconnected") void this.#return(this.#life);
    });
  }

  isThere(): boolean {
    return this.#isThere;
  }

  onEvent(listener: (event: StreamsEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  [Symbol.dispose](): void {
    this.#stopListening();
    this.#life += 1;
  }

  #emit(event: StreamsEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #leave(): void {
    this.#life += 1;
    this.#isThere = false;
    this.#emit({ type: "away" });
  }

  /** The log's own leader is asked first: it is needed by whoever reads, the leader of the others is not. */
  async #return(life: number): Promise<void> {
    const { requests, replicas, log } = this.#options;
    const isSame = await this.#until(
      life,
      async () => (await birthOf(requests, logStream(0))) === this.#first.log,
    );
    if (isSame === true) this.#arrive(life);
    const made = await this.#until(life, async () => (await createStreams(requests, replicas)).made);
    if (made === undefined) return;
    logLost(log, made);
    if (isSame === true) return;
    const marks = await this.#until(life, async () => (await birthOf(requests, marksStream(0))) ?? "");
    if (marks !== undefined && marks !== this.#first.marks) this.#replace(life);
    if (marks !== undefined) this.#arrive(life);
  }

  #replace(life: number): void {
    if (life !== this.#life || this.#isReplaced) return;
    this.#isReplaced = true;
    this.#emit({ type: "replaced" });
  }

  #arrive(life: number): void {
    if (life !== this.#life) return;
    this.#isThere = true;
    this.#emit({ type: "there" });
  }

  /** A server that is back does not serve its store at once. Undefined: the connection was lost meanwhile. */
  async #until<T>(life: number, ask: () => Promise<T>): Promise<T | undefined> {
    for (let tries = 1; life === this.#life; tries += 1) {
      try {
        return await ask();
      } catch (err) {
        if (tries === triesBeforeWarning)
          this.#options.log.warn(
            { err },
            "whether the store still has its streams is not known; asking again",
          );
        await delay(retryMs, undefined, { ref: false });
      }
    }
    return undefined;
  }
}

/** Without the marks, what was lost before now cannot be told from what was never written. */
function logLost(log: Logger, streams: readonly string[]): void {
  for (const stream of streams) log.error({ stream }, lostStream(stream));
}

/** When the stream was made; one that is made again has another time. @throws StoreError */
async function birthOf(requests: Requests, stream: string): Promise<string | undefined> {
  const answer = (await requests.ask(`$JS.API.STREAM.INFO.${stream}`, "")).json<{
    readonly created?: string;
    readonly error?: { readonly err_code?: number; readonly description: string };
  }>();
  if (answer.error !== undefined && answer.error.err_code !== notFound)
    throw new StoreError(`stream ${stream} tells nothing of itself: ${answer.error.description}`);
  return answer.created;
}
