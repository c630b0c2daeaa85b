// Questions to the server, each with one answer: one subscription and one timer for all of them. The client's
// own requests make a timer and three stack traces each, which is most of what a wake's read would cost.

import { createInbox, type Msg, type MsgHdrs } from "@nats-io/transport-node";
import { noResponders } from "@voda/proto/wire";
import { type Clock, SlotTable } from "@voda/stdx";
import { type Connection, rethrown } from "./connection.ts";

/** The store did not answer, or refused; nothing is known of what was asked. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}

/** Answers later than this count as none. */
export const readTimeoutMs = 2_000;
/** A server that comes back knows nothing of what was asked on the connection before. */
export const connectionLost = "the connection to NATS was lost";
/** Requests without an answer; more fail at once. */
export const requestsMax = 65_536;
const sweepMs = 250;

/** Asks the server; nothing is asked twice by itself. */
export interface Requests extends Disposable {
  readonly connection: Connection;
  /** @throws StoreError */
  ask(subject: string, body: string | Uint8Array, headers?: MsgHdrs): Promise<Msg>;
}

interface Waiting {
  readonly subject: string;
  readonly untilMs: number;
  readonly resolve: (message: Msg) => void;
  readonly reject: (error: StoreError) => void;
}

/** Disposal fails what waits. */
export function openRequests(connection: Connection, clock: Clock): Requests {
  const slots = new SlotTable<Waiting>(requestsMax);
  const inbox = `${createInbox()}.`;
  let timer: NodeJS.Timeout | undefined;
  const subscription = connection.nats.subscribe(`${inbox}*`, {
    callback: rethrown((error, message) => {
      if (error === null) answer(message);
    }),
  });

  const answer = (message: Msg): void => {
    const token = Number(message.subject.slice(inbox.length));
    // the generation tells a late answer from the one that its slot waits for now
    const waiting = slots.release(token % requestsMax, Math.floor(token / requestsMax));
    if (waiting === undefined) return; // a late answer
    // 503 without a body is the server's own: no JetStream is there to answer
    if (message.data.length > 0 || message.headers?.code !== noResponders) waiting.resolve(message);
    else waiting.reject(new StoreError(`${waiting.subject}: nobody listens`));
  };
  const fail = (why: string, isDue: (waiting: Waiting) => boolean): void =>
    slots.forEach((waiting, slot, generation) => {
      if (isDue(waiting))
        slots.release(slot, generation)?.reject(new StoreError(`${waiting.subject}: ${why}`));
    });
  const sweep = (): void => {
    const nowMs = clock.monotonicMs();
    fail(`no answer in ${readTimeoutMs} ms`, ({ untilMs }) => untilMs <= nowMs);
    timer = slots.size > 0 ? setTimeout(sweep, sweepMs) : undefined;
  };

  const stopListening = connection.onEvent(({ type }) => {
    if (type === "disconnected") fail(connectionLost, () => true);
  });

  return {
    connection,
    ask(subject, body, headers) {
      if (!connection.isUp())
        return Promise.reject(new StoreError(`${subject}: the connection to NATS is down`));
      return new Promise((resolve, reject) => {
        const slot = slots.take({ subject, untilMs: clock.monotonicMs() + readTimeoutMs, resolve, reject });
        // an error of its own: the store may be well, this node asks too much
        if (slot < 0) {
          reject(new StoreError(`${subject}: requestsMax ${requestsMax} requests wait already`));
          return;
        }
        const reply = `${inbox}${slots.generation(slot) * requestsMax + slot}`;
        connection.nats.publish(subject, body, headers === undefined ? { reply } : { reply, headers });
        // runs only while something waits: an idle node has no timer
        timer ??= setTimeout(sweep, sweepMs);
      });
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
      stopListening();
      subscription.unsubscribe();
      fail("the store is closed", () => true);
    },
  };
}
