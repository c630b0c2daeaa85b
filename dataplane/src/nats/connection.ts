// The node's connection to NATS: it comes back for ever, and says when it went.

import type { NatsConnection } from "@nats-io/transport-node";
import { dialNats } from "@voda/net";
import { readNatsLogin } from "@voda/proto/nats-login";

/** In the order in which it happened; `disconnected` and `reconnected` take turns. */
export type ConnectionEvent =
  | { readonly type: "disconnected" }
  | { readonly type: "reconnected" }
  /** Sessions of this stream must be verified before their next append or read (PROTOCOL.md 5.9). */
  | { readonly type: "leader_elected"; readonly stream: string };

/** The one connection of a process to the server; closing it ends everything on it. */
export interface Connection extends AsyncDisposable {
  readonly nats: NatsConnection;
  /**
   * Publish only while this is true, and from a task of the event loop, never from a microtask: the client
   * keeps what is published while it dials and sends it after the reconnect.
   */
  isUp(): boolean;
  /** Returns the way to stop listening. Listeners run in a microtask after the fact. */
  onEvent(listener: (event: ConnectionEvent) => void): () => void;
}

/** Of the server, not of one use: streams and subjects are named by those who use the connection. */
export interface ConnectionOptions {
  readonly url: string;
  /** File with `user:password`; without it the server asks for none. */
  readonly login?: string | undefined;
  /** Shown in the server's list of connections. */
  readonly name: string;
}

/**
 * Between two dials, always: a server is back after 40 to 90 ms, and each session waits for it. The client
 * asks for the delay several times between two dials, so one that grows with every question is soon at its
 * end.
 */
const redialMs = 50;
/** A server that answers no ping for this long times 3 is given up: it is frozen, or the network is. */
const pingIntervalMs = 5_000;
const leaderElectedSubject = "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.*";

/** @throws when the server cannot be reached at the start; later it is dialled until the end */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  const nats = await dialNats({
    ...(options.login !== undefined && readNatsLogin(options.login)),
    url: options.url,
    loginFile: options.login,
    name: options.name,
    noAsyncTraces: true,
    // a node has nothing better to do than to wait for its store
    maxReconnectAttempts: -1,
    // else two refused logins in a row end the client for good
    ignoreAuthErrorAbort: true,
    pingInterval: pingIntervalMs,
    reconnectDelayHandler: () => redialMs,
  });
  const listeners = new Set<(event: ConnectionEvent) => void>();
  const emit = (event: ConnectionEvent): void => {
    for (const listener of listeners) listener(event);
  };
  let up = true;
  const watch = async (): Promise<void> => {
    for await (const status of nats.status()) {
      // the client says it again for each dial that fails
      if (status.type === "disconnect" && up) {
        up = false;
        emit({ type: "disconnected" });
      } else if (status.type === "reconnect" && !up) {
        up = true;
        emit({ type: "reconnected" });
      }
    }
    up = false;
  };
  nats.subscribe(leaderElectedSubject, {
    callback: rethrown((error, message) => {
      if (error === null)
        emit({ type: "leader_elected", stream: message.subject.slice(leaderElectedSubject.length - 1) });
    }),
  });
  const watching = watch();
  return {
    nats,
    isUp: () => up,
    onEvent(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async [Symbol.asyncDispose]() {
      up = false;
      await nats.close();
      await watching;
    },
  };
}

/**
 * The client's reader swallows what a subscription's callback throws and reads no further. What is thrown in
 * ours is a bug of ours and must end the process, so it is thrown outside.
 */
export function rethrown<A extends unknown[]>(callback: (...args: A) => void): (...args: A) => void {
  return (...args) => {
    try {
      callback(...args);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  };
}
