// Reads of a stream: direct ones, which any replica answers, and those of the leader.

import { createInbox, type Msg, type MsgHdrs } from "@nats-io/transport-node";
import { noResponders } from "@voda/proto/wire";
import { assert } from "@voda/stdx";
import { rethrown } from "./connection.ts";
import { connectionLost, type Requests, readTimeoutMs, StoreError } from "./requests.ts";

/** A message as it lies in its stream. */
export interface StoredMessage {
  readonly seq: number;
  readonly subject: string;
  /** When the server stored it, by its clock: milliseconds since 1970. */
  readonly atMs: number;
  readonly bytes: Uint8Array;
}

const notFound = 404;
const endOfBatch = 204;
const noMessage = 10037;

/** Which message: the last of a filter, the one at a sequence, or the first of a filter from there on. */
export type Query =
  | { readonly last_by_subj: string }
  | { readonly seq: number; readonly next_by_subj?: undefined }
  | { readonly seq: number; readonly next_by_subj: string };

/** An API request whose answer must not be an error. @throws StoreError */
export async function command(
  requests: Requests,
  subject: string,
  body: string | Uint8Array,
  headers?: MsgHdrs,
): Promise<void> {
  const answer = (await requests.ask(subject, body, headers)).json<{ error?: { description: string } }>();
  if (answer.error !== undefined) throw new StoreError(`${subject}: ${answer.error.description}`);
}

/** Stores a message; returns its sequence, or why the server does not take it. @throws StoreError */
export async function publish(
  requests: Requests,
  subject: string,
  body: string | Uint8Array,
): Promise<number | { readonly refusal: string }> {
  const answer = (await requests.ask(subject, body)).json<{
    seq?: number;
    error?: { description: string };
  }>();
  return answer.seq ?? { refusal: answer.error?.description ?? "an answer without a sequence" };
}

/** From any replica: with 3 replicas it may be old. @throws StoreError */
export async function direct(
  requests: Requests,
  stream: string,
  query: Query,
): Promise<StoredMessage | undefined> {
  const subject = `$JS.API.DIRECT.GET.${stream}`;
  const message = await requests.ask(subject, JSON.stringify(query));
  return toStored(message, subject);
}

/** The last message of one subject, which stands in the request's own subject. @throws StoreError */
export async function directLast(
  requests: Requests,
  stream: string,
  last: string,
): Promise<StoredMessage | undefined> {
  const subject = `$JS.API.DIRECT.GET.${stream}.${last}`;
  return toStored(await requests.ask(subject, ""), subject);
}

/** From the leader: never old. @throws StoreError */
export async function fromLeader(
  requests: Requests,
  stream: string,
  query: Query,
): Promise<StoredMessage | undefined> {
  const subject = `$JS.API.STREAM.MSG.GET.${stream}`;
  const message = await requests.ask(subject, JSON.stringify(query));
  const answer = message.json<{
    message?: { seq: number; subject: string; time: string; data?: string };
    error?: { err_code: number; description: string };
  }>();
  if (answer.message !== undefined) {
    const { seq, subject: of, time, data } = answer.message;
    const bytes = new Uint8Array(Buffer.from(data ?? "", "base64"));
    return { seq, subject: of, atMs: Date.parse(time), bytes };
  }
  // only this one means that there is none; another error says nothing about it
  if (answer.error?.err_code === noMessage) return undefined;
  throw new StoreError(`${subject}: ${answer.error?.description ?? "an answer without a message"}`);
}

/** One answer to a batched read. */
export interface Batch {
  readonly messages: readonly StoredMessage[];
  /** Whether messages of the filter follow. */
  readonly more: boolean;
}

/** Which messages: up to `count` of the filter at or after `seq`. */
export interface BatchQuery {
  readonly stream: string;
  readonly filter: string;
  readonly seq: number;
  readonly count: number;
}

/** In order, from any replica. @throws StoreError */
export function directBatch(requests: Requests, { stream, filter, seq, count }: BatchQuery): Promise<Batch> {
  const { connection } = requests;
  const subject = `$JS.API.DIRECT.GET.${stream}`;
  if (!connection.isUp()) return Promise.reject(new StoreError(`${subject}: the connection to NATS is down`));
  // its own subscription: the answer is many messages, and `Requests` knows one
  return new Promise((resolve, reject) => {
    const messages: StoredMessage[] = [];
    const settle = (how: () => void): void => {
      clearTimeout(timer);
      stopListening();
      subscription.unsubscribe();
      how();
    };
    const failed = (why: string): void => settle(() => reject(new StoreError(`${subject}: ${why}`)));
    const timer = setTimeout(() => failed(`no answer in ${readTimeoutMs} ms`), readTimeoutMs);
    const stopListening = connection.onEvent(({ type }) => {
      if (type === "disconnected") failed(connectionLost);
    });
    const inbox = createInbox();
    const subscription = connection.nats.subscribe(inbox, {
      callback: rethrown((error, message) => {
        // 204 ends a batch, 404 is an empty one; a message of the stream has no status
        const status = message?.headers?.code ?? 0;
        if (error !== null) failed(error.message);
        else if (status === endOfBatch)
          settle(() => resolve({ messages, more: message.headers?.get("Nats-Num-Pending") !== "0" }));
        else if (status === notFound) settle(() => resolve({ messages: [], more: false }));
        else if (status !== 0) failed(statusWords(message));
        else messages.push(readMessage(message));
      }),
    });
    connection.nats.publish(subject, JSON.stringify({ seq, next_by_subj: filter, batch: count }), {
      reply: inbox,
    });
  });
}

function toStored(message: Msg, subject: string): StoredMessage | undefined {
  const status = message.headers?.code ?? 0;
  if (status === notFound) return undefined;
  if (status !== 0) throw new StoreError(`${subject}: ${statusWords(message)}`);
  return readMessage(message);
}

/** What the server says is not always more than a number. */
function statusWords({ headers }: Msg): string {
  const { code = 0, description = "" } = headers ?? {};
  return code === noResponders ? "nobody listens" : `${code} ${description}`.trim();
}

function readMessage(message: Msg): StoredMessage {
  const seq = Number(message.headers?.get("Nats-Sequence"));
  assert(seq > 0, "a message of a direct get without its sequence");
  const subject = message.headers?.get("Nats-Subject") ?? "";
  const atMs = Date.parse(message.headers?.get("Nats-Time-Stamp") ?? "");
  return { seq, subject, atMs, bytes: new Uint8Array(message.data) }; // not a view of what came with it
}
