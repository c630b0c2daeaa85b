// Workflows and their signals, for those who start and signal them.
import type { IfJson } from "./json.ts";
import { checkOptions, type Input, lengthProblem } from "./session.ts";
import { workflowIdOf, workflowNameCharsMax } from "./workflow-name.ts";

declare const signalType: unique symbol;

/** What a workflow waits for, and with which data it comes. */
export interface Signal<X> {
  readonly signal: string;
  /** Not `X` itself: that of a signal without data would not be seen behind the question mark. */
  readonly [signalType]?: { readonly data: X };
}

/**
 * A signal, for those who send it and those who wait for it.
 *
 * ```ts
 * export const approved = signal<{ by: string }>("approved");
 * ```
 * @param name 1 to 128 characters. @throws TypeError for what is no name
 */
export function signal<X = undefined>(name: string & IfJson<X, unknown>): Signal<X> {
  const problem = lengthProblem("the name of a signal", name, workflowNameCharsMax);
  if (problem !== undefined) throw new TypeError(problem);
  return Object.freeze({ signal: name });
}

/** What goes with a signal: nothing where it has no data. */
export type SignalData<X> = X extends undefined ? [] : [data: X];

/** A workflow that was started. */
export interface WorkflowRef {
  readonly id: string;
}

/** Options of a start. */
export interface StartOptions {
  /** 1 to 128 characters; a start under an id that was used does nothing. Default: a new one. */
  readonly id?: string;
}

const optionNames: ReadonlySet<string> = new Set(["id"]);

/** What they name, `undefined` for a new one. @throws VodaError for an unknown one, and for no id */
export function startIdOf(options: StartOptions): string | undefined {
  checkOptions("start option", options, optionNames);
  return options.id === undefined ? undefined : workflowIdOf(options.id);
}

type Started<I extends readonly unknown[]> = I extends readonly []
  ? [input?: undefined, options?: StartOptions]
  : I extends readonly [infer X]
    ? [input: X, options?: StartOptions]
    : [input?: I[0], options?: StartOptions];

/** The input of a workflow, if it takes one, and options. */
export type StartArguments<F> = Started<Input<F>>;

/** `ctx.start`: one function per workflow of the agent. */
export type Starts<W> = string extends keyof W
  ? AnyWorkflows
  : { readonly [K in keyof W]: (...input: StartArguments<W[K]>) => WorkflowRef };

/** Where a workflow of a block has an error: the compiler complains of that one, and of nothing after it. */
export type AnyWorkflows = any; // oxlint-disable-line typescript/no-explicit-any -- no names are known there

/** `ctx.cancelWorkflow` */
export type CancelWorkflowFunction = (id: string) => boolean;

/** `ctx.notify` */
export type NotifyFunction = <X>(id: string, signal: Signal<X>, ...data: SignalData<NoInfer<X>>) => void;
