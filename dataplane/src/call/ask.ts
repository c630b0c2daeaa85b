import type { Call } from "./call.ts";

/** A handler calls another session, and waits for the answer under `askId`, a number of its activation. */
export interface AskMessage {
  readonly type: "ask";
  readonly activation: number;
  /** The call whose handler asks. */
  readonly by: number;
  readonly askId: number;
  /**
   * Without number and id, which are for the I/O thread to give; `readonly` where the asking handler is: then
   * what it asks must be.
   */
  readonly request: Call;
}

/**
 * A turn is about to send to a handler that its thread has not sent to before: answered under `askId`, as an
 * ask is.
 */
export interface CheckMessage {
  readonly type: "check";
  readonly activation: number;
  readonly askId: number;
  readonly agent: string;
  readonly method: string;
}

/**
 * The session calls a handler of its own, beside all turns: what goes on with a workflow. Without an id, and
 * answered under `askId`, as an ask is.
 */
export interface OwnMessage {
  readonly type: "own";
  readonly activation: number;
  readonly askId: number;
  readonly method: string;
  /** JSON */
  readonly body: Uint8Array;
}

/** What an activation says that is not for its lane. */
export type AsideMessage = AskMessage | CheckMessage | OwnMessage;
