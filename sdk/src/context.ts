// What a handler gets: the state of its session and the context of the call.

import type { FieldKind, Frozen, Handles, ReadHandles } from "@voda/proto/fields";
import type { AskFunction } from "./ask.ts";
import type { GatherFunction } from "./gather.ts";
import type { RunFunction } from "./run.ts";
import type { CancelFunction, ScheduleFunction } from "./schedule.ts";
import type { Field, Schema } from "./schema.ts";
import type { SendFunction } from "./send.ts";
import type { CancelWorkflowFunction, NotifyFunction, Starts } from "./workflow-start.ts";

type Registers<S extends Schema> = { [K in keyof S]: S[K]["kind"] extends "register" ? K : never }[keyof S];
type Handle<F> = F extends Field<infer K, infer X> ? Handles<X>[K] : never;
type ReadHandle<F> =
  F extends Field<"register", infer X>
    ? Frozen<X>
    : F extends Field<infer K, infer X>
      ? ReadHandles<X>[K]
      : never;

/** `ctx.state` of a handler: registers are properties to read and assign, the other fields have methods. */
export type State<S extends Schema> = {
  [K in Registers<S>]: S[K] extends Field<FieldKind, infer X> ? Frozen<X> : never;
} & { readonly [K in Exclude<keyof S, Registers<S>>]: Handle<S[K]> };

/** `ctx.state` of a `readonly` handler. */
export type ReadState<S extends Schema> = { readonly [K in keyof S]: ReadHandle<S[K]> };

/** Who calls. */
export interface Caller {
  /** `anonymous` as long as the mesh has no authentication. */
  readonly subject: string;
  /** The session whose handler asks; absent where a client calls. */
  readonly agent?: { readonly name: string; readonly key: string };
}

/** Structured log of the session; agent and key are added to each line. */
export interface Logger {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}

/** What every handler gets, without the state. */
export interface CallContext {
  /** Key of the session: 1 to 256 bytes, chosen by its callers. */
  readonly key: string;
  readonly caller: Caller;
  /** Fires when nobody waits for the answer any more or the turn ran longer than `maxTurn`. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Milliseconds since 1970. The same when a turn whose steps are kept runs again, as far as they are. */
  now(): number;
  /** A number of 0 up to, but not including, 1; the same as `now` is. */
  random(): number;
  /** A new random UUID; the same as `now` is. */
  uuid(): string;
  /**
   * Calls a handler of another session, as a client does; the turn stays open while it waits. A turn that
   * runs again asks again, and what it asked the same takes effect once. Handlers that are `readonly` ask
   * readonly ones only. Throws nothing itself: the asks reject, with VodaError (`bad_request` for a bad
   * option).
   */
  readonly ask: AskFunction;
  /**
   * Waits for several asks: until `min` of them have succeeded, too many have failed, or the time is over.
   * Does not reject for what they reject with.
   */
  readonly gather: GatherFunction;
}

/** Context of a handler. It is one transaction: if it throws, it changed nothing and sent nothing. */
export interface Ctx<S extends Schema, W extends object = object> extends CallContext {
  readonly state: State<S>;
  /**
   * Sends a message to a handler of another session, which nobody waits for: it leaves with the commit of
   * this turn, in order for each target, and takes effect once, whatever is killed. Throws VodaError for what
   * cannot be sent: an input that is no JSON, more than a turn or the session may send. An agent or a method
   * that is not there fails the turn at its end; of one that no method is called of the log has a warning.
   */
  readonly send: SendFunction;
  /**
   * Has a handler of this session, or of another, called later, once or again and again: part of this turn,
   * and once in effect each time, whatever is killed. What has become of a missed time is one call, however
   * many were missed. Returns the id of the timer. Throws VodaError for what is no time.
   */
  readonly schedule: ScheduleFunction;
  /** Takes a timer of this session back, unless its time has come. One that is not there is no error. */
  readonly cancel: CancelFunction;
  /**
   * Does something outside of the session, such as a payment, and gives its result, as JSON has it, once that
   * is kept: when the call comes again under its id, the step is not done again. A step that nobody knows the
   * end of is done again under the same `idempotencyKey`. Each step of a turn has a name of its own. Its
   * function may read the state; it is refused writes, sends, asks and steps of the turn, which would be
   * missing where it is not done again. Rejects with what the step threw last, with VodaError else
   * (`bad_request` for a bad option).
   */
  readonly run: RunFunction;
  /**
   * Starts a workflow of this session with the commit of this turn. Throws VodaError for what cannot be
   * started: an input that is no JSON or too large, more than the session may have.
   */
  readonly start: Starts<W>;
  /**
   * Gives a workflow of this session a signal with the commit of this turn; it is kept until the workflow
   * waits for it. Throws VodaError when there is no such workflow, or it has ended.
   */
  readonly notify: NotifyFunction;
  /**
   * Has a workflow of this session undo what it did and end, with the commit of this turn; false when it has
   * ended. Throws VodaError when there is none (`workflow_not_found`).
   */
  readonly cancelWorkflow: CancelWorkflowFunction;
}

/** Context of a `readonly` handler: the newest committed state, which cannot be written to. */
export interface ReadCtx<S extends Schema> extends CallContext {
  readonly state: ReadState<S>;
}
