// Workflows as their authors write them (docs/workflows.md).
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Internal } from "./agent-types.ts";
import type { Ctx, Logger, State } from "./context.ts";
import type { Duration } from "./duration.ts";
import type { Code } from "./error.ts";
import type { IfJson, Json, Sent } from "./json.ts";
import type { RunOp, RunOptions } from "./run.ts";
import type { Schema } from "./schema.ts";
import type { Signal, WorkflowRef } from "./workflow-start.ts";

/** Options of a step of a workflow. */
export interface WorkflowRunOptions<R> extends RunOptions {
  /**
   * Takes back what the step did, when the workflow fails or is cancelled later: the last step first. Given
   * the result, and an `idempotencyKey` of its own; `undefined` where the result is not kept, or it is not
   * known whether the step was done.
   */
  readonly undo?: (result: R, op: RunOp) => unknown;
}

/** `wf.run`: as `ctx.run`, but that its result is kept until the workflow ends. */
export interface WorkflowRunFunction {
  <X extends StandardSchemaV1, R>(
    name: string,
    perform: (op: RunOp) => R & IfJson<Awaited<R>, unknown>,
    options: WorkflowRunOptions<StandardSchemaV1.InferOutput<X>> & { readonly schema: X },
  ): Promise<StandardSchemaV1.InferOutput<X>>;
  <R>(
    name: string,
    perform: (op: RunOp) => R & IfJson<Awaited<R>, unknown>,
    options?: WorkflowRunOptions<Sent<Awaited<R>>> & { readonly schema?: never },
  ): Promise<Sent<Awaited<R>>>;
}

/** Options of a sleep. */
export interface SleepOptions {
  /**
   * Gives it up once it fires: it rejects, `canceled` with the reason `aborted`. A signal that comes, and is
   * not had, is that of the next wait for it.
   */
  readonly signal?: AbortSignal;
}

/** Options of a wait. */
export interface WaitOptions extends SleepOptions {
  /**
   * How long to wait, 0 to 100 years: then it rejects, `deadline_exceeded` with the reason `wait_timeout`.
   * Default: for ever.
   */
  readonly timeout?: Duration;
}

/** `wf.wait` */
export type WaitFunction = <X>(signal: Signal<X>, options?: WaitOptions) => Promise<Sent<X>>;

/**
 * Context of a workflow. Its function is no turn: it may take days, and is run again from the top after
 * whatever ended it; each step that was done gives its result again without being done. Each step has a
 * name of its own.
 */
export interface WorkflowCtx<S extends Schema, W extends object = object> {
  /** Of the workflow, in its session. */
  readonly id: string;
  /** Key of the session. */
  readonly key: string;
  /** Fires when the workflow is cancelled, and when the session leaves this node or memory. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Milliseconds since 1970. The same again as far as steps are kept. */
  now(): number;
  /** A number of 0 up to, but not including, 1; the same as `now` is. */
  random(): number;
  /** A new random UUID; the same as `now` is. */
  uuid(): string;
  /**
   * Does something outside of the session, at least once under one `idempotencyKey`, and not again once its
   * result is kept.
   */
  readonly run: WorkflowRunFunction;
  /**
   * One turn of the session: what the function changes, sends and schedules is committed together with the
   * step, once. The function answers at once: it may not be asynchronous. What it throws undoes the turn.
   * `undo` is a turn too, when the workflow fails or is cancelled later.
   */
  tx<R>(
    name: string,
    change: (state: State<S>, ctx: Ctx<S, W>) => R & IfJson<R, unknown>,
    options?: { readonly undo?: (state: State<S>, ctx: Ctx<S, W>) => void },
  ): Promise<Sent<R>>;
  /** Goes on after that time, or then; the session may sleep meanwhile. */
  sleep(name: string, time: Duration | Date, options?: SleepOptions): Promise<void>;
  /** The data of the next signal of that kind, also of one that came before. */
  readonly wait: WaitFunction;
  /** What people are told of it; `progress` is a number from 0 to 1. */
  status(text: string, progress?: number): void;
}

/** Workflows by name: the context first, then at most one input. */
export interface Workflows<C> {
  readonly [name: string]: (wf: C, input: never) => unknown;
}

/** What becomes of a workflow. */
export type WorkflowPhase = "running" | "waiting" | "done" | "failed" | "cancelled";

/** What is known of a workflow. */
export interface WorkflowStatus {
  readonly id: string;
  readonly workflow: string;
  readonly phase: WorkflowPhase;
  /** Signals and sleeps that it waits for. */
  readonly waitsFor: readonly string[];
  /** Whether what it did is being undone. */
  readonly undoing: boolean;
  readonly text?: string;
  readonly progress?: number;
  /** What it returned. */
  readonly result?: Json;
  /** Why it ended otherwise. */
  readonly error?: WorkflowError;
}

/**
 * What clients may do with workflows, past all handlers of the agent. `public`: start, signal and cancel
 * them, and look at them. `readonly`: look at them. `internal`: nothing. Sessions of agents may do all of it.
 */
export type WorkflowAccess = "public" | "readonly" | "internal";

/** Options of a block of workflows. */
export interface WorkflowsOptions {
  /** Default `readonly`. */
  readonly access?: WorkflowAccess;
}

/** Of which workflow: `workflow` is its name, and refused when the id is that of another one. */
export interface WorkflowName {
  readonly id: string;
  readonly workflow?: string;
}

interface WorkflowMethods {
  startWorkflow(
    ctx: object,
    start: { readonly workflow: string; readonly id?: string; readonly input?: Json },
  ): WorkflowRef;
  /** `signal`: its name, as in `approved.signal`. */
  signalWorkflow(ctx: object, signal: WorkflowName & { readonly signal: string; readonly data?: Json }): void;
  /** False when it had ended. */
  cancelWorkflow(ctx: object, workflow: WorkflowName): boolean;
  /** Readonly. */
  workflowStatus(ctx: object, workflow: WorkflowName): WorkflowStatus;
}

/** What an agent with workflows has beside its own handlers, for `ctx.ask`, `ctx.send` and maybe clients. */
export type WorkflowHandlers<O = unknown> = {
  readonly [K in keyof WorkflowMethods]: WorkflowMethods[K] & WorkflowReached<K, O>;
};

/** Who sees a handler of these, with these options of the block. */
type WorkflowReached<K, O> = O extends { readonly access: infer A }
  ? A extends "public"
    ? unknown
    : [A, K] extends ["readonly", "workflowStatus"]
      ? unknown
      : Internal
  : K extends "workflowStatus"
    ? unknown
    : Internal;

/** Why a workflow ended that has not come to its own end: it failed, or was cancelled. */
export interface WorkflowError {
  readonly code: Code;
  readonly reason: string;
  readonly message: string;
}
