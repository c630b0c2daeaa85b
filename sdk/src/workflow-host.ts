// What hosts of workflows are given to do, and what they build for their bodies.
import type { Logger } from "./context.ts";
import { lengthOf, timeOf } from "./due.ts";
import type { Duration } from "./duration.ts";
import type { Json } from "./json.ts";
import { type RunOp, type RunRequest, runOptionNames, runRequestOf } from "./run.ts";
import { badRequest, checkOptions, properties, signalProblem, textOf } from "./session.ts";
import { shown } from "./shown.ts";
import type { SleepOptions, WaitOptions, WorkflowRunOptions, WorkflowStatus } from "./workflow.ts";
import { keptJson } from "./workflow-json.ts";
import { refusedBy, signalNameOf, stepNameOf, workflowIdOf } from "./workflow-name.ts";
import {
  type CancelWorkflowFunction,
  type NotifyFunction,
  type Signal,
  type StartOptions,
  startIdOf,
  type WorkflowRef,
} from "./workflow-start.ts";

/** For hosts: a workflow is to begin. */
export interface StartRequest {
  readonly workflow: string;
  /** `undefined`: a new one. */
  readonly id: string | undefined;
  readonly input: Json | undefined;
}

/** For hosts: a signal comes. */
export interface SignalRequest {
  readonly id: string;
  readonly signal: string;
  readonly data: Json | undefined;
}

/** For hosts: what handlers of an agent with workflows have done, as part of their turn. */
export interface WorkflowTurn {
  /** Returns its id. */
  start(request: StartRequest): string;
  signal(request: SignalRequest): void;
  /** False when it had ended. */
  cancel(id: string): boolean;
  status(id: string): WorkflowStatus;
  /** What the host itself wants of the turn; gives what is answered. */
  perform(what: unknown): unknown;
}

/** Where a context has them: no name, for they are not for authors. */
export const workflowsOfTurn: unique symbol = Symbol.for("voda.workflows");

/** For hosts: what a turn of a workflow does, or takes back. */
export type TxFunction = (state: object, ctx: object) => unknown;

/** For hosts: takes back what a step did; `undefined` also where its result was not kept. */
export type UndoFunction = (result: unknown, op: RunOp) => unknown;

/** For hosts: how long a workflow sleeps, or until when. */
export interface SleepTime {
  readonly type: "in" | "at";
  readonly ms: number;
}

/** For hosts: when a body goes on without what it waits for. */
export interface WaitEnd {
  readonly timeoutMs: number | undefined;
  /** It is given up. */
  readonly abort: AbortSignal | undefined;
}

/** For hosts: what the body of a workflow has done. Each is checked, and its name used once. */
export interface WorkflowHost {
  readonly id: string;
  readonly key: string;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly now: () => number;
  /** Without a place in the journal: for bounds of times. */
  readonly nowMs: () => number;
  readonly random: () => number;
  readonly uuid: () => string;
  run(request: RunRequest, undo: UndoFunction | undefined): Promise<unknown>;
  tx(name: string, change: TxFunction, undo: TxFunction | undefined): Promise<unknown>;
  sleep(name: string, time: SleepTime, abort: AbortSignal | undefined): Promise<void>;
  wait(signal: string, end: WaitEnd): Promise<unknown>;
  status(text: string, progress: number | undefined): void;
  /** Rejects. A body that goes on from each refusal must not hold its thread between them. */
  refuse(error: unknown): Promise<never>;
}

/** What runs as a workflow. */
export type WorkflowBody = (wf: object, input: unknown) => unknown;

/** Maps of the state that an agent with workflows has beside its own fields. */
export const workflowFields = { rows: "_workflows", journal: "_journal" } as const;
/** UTF-16 units of what people are told. */
export const statusCharsMax = 1_024;
const runNames: ReadonlySet<string> = new Set([...runOptionNames, "undo"]);
const txNames: ReadonlySet<string> = new Set(["undo"]);
const sleepNames: ReadonlySet<string> = new Set(["signal"]);
const waitNames: ReadonlySet<string> = new Set(["timeout", "signal"]);

/** For hosts: the context of a body. */
export function workflowContext(host: WorkflowHost): object {
  const { id, key, signal, log, now, random, uuid } = host;
  /** Of a step that is checked before the host hears of it. */
  const checked =
    <A extends readonly unknown[]>(begin: (...given: A) => Promise<unknown>) =>
    async (...given: A): Promise<unknown> => {
      let begun: Promise<unknown>;
      try {
        begun = begin(...given);
      } catch (error) {
        return host.refuse(error);
      }
      return begun;
    };
  const begin = beginnings(host);
  return Object.freeze({
    id,
    key,
    signal,
    log,
    now,
    random,
    uuid,
    run: checked(begin.run),
    tx: checked(begin.tx),
    sleep: (name: string, time: Duration | Date, options?: SleepOptions) =>
      awaitedLater(checked(begin.sleep)(name, time, options)),
    wait: (what: Signal<unknown>, options?: WaitOptions) => awaitedLater(checked(begin.wait)(what, options)),
    status(text: string, progress?: number) {
      // none is a text too: it takes away the one before
      if (text !== "") textOf("wf.status: the text", text, statusCharsMax);
      if (progress !== undefined && !(typeof progress === "number" && progress >= 0 && progress <= 1))
        throw badRequest(`wf.status: progress of ${shown(progress)} is not a number from 0 to 1`);
      host.status(text, progress);
    },
  });
}

/** Each step as it is checked and begun. @throws VodaError for what the host does not even hear of */
const beginnings = (host: WorkflowHost) => ({
  run: (name: string, perform: unknown, options: WorkflowRunOptions<unknown> = {}) => {
    const way = stepWay("wf.run", name);
    checkOptions(`${way}: run option`, options, runNames);
    const { undo, ...rest } = options;
    if (undo !== undefined && typeof undo !== "function")
      throw badRequest(`${way}: undo is a function that takes back what it did, not ${typeof undo}`);
    return host.run(runRequestOf("wf.run", name, perform, rest), undo);
  },
  tx: (name: string, change: unknown, options: { readonly undo?: TxFunction } = {}) => {
    const way = stepWay("wf.tx", name);
    checkOptions(`${way}: tx option`, options, txNames);
    for (const one of [change, options.undo ?? change])
      if (typeof one !== "function")
        throw badRequest(`${way} takes functions of the state, not ${typeof one}`);
    return host.tx(name, change as TxFunction, options.undo);
  },
  sleep: (name: string, time: Duration | Date, options: SleepOptions = {}) => {
    const way = stepWay("wf.sleep", name);
    checkOptions(`${way}: sleep option`, options, sleepNames);
    return host.sleep(name, sleepTimeOf(way, time, host.nowMs()), abortOf(way, options));
  },
  wait: (what: Signal<unknown>, options: WaitOptions = {}) => {
    const signalName = refusedBy("wf.wait", () => signalNameOf(what));
    const way = `wf.wait(${JSON.stringify(signalName)})`;
    checkOptions(`${way}: wait option`, options, waitNames);
    const { timeout } = options;
    const timeoutMs = timeout === undefined ? undefined : lengthOf(`${way}: timeout`, timeout, 0);
    return host.wait(signalName, { timeoutMs, abort: abortOf(way, options) });
  },
});

/** A body may come to it later than it has rejected. */
function awaitedLater<R>(step: Promise<R>): Promise<R> {
  void Promise.allSettled([step]);
  return step;
}

/** @throws VodaError for what is no AbortSignal */
function abortOf(way: string, { signal }: SleepOptions): AbortSignal | undefined {
  const problem = signalProblem(signal);
  if (problem !== undefined) throw badRequest(`${way}: ${problem}`);
  return signal;
}

/** The step as it is written. @throws VodaError for what is no name of one */
const stepWay = (way: string, name: unknown): string => `${way}(${JSON.stringify(stepNameOf(way, name))})`;

const sleepTimeOf = (way: string, time: Duration | Date, nowMs: number): SleepTime =>
  time instanceof Date
    ? { type: "at", ms: timeOf(way, time, nowMs) }
    : { type: "in", ms: lengthOf(way, time, 0) };

/** For hosts: `ctx.start`. @throws VodaError */
export function startFunctions(start: (request: StartRequest) => string): object {
  return properties(
    (workflow) =>
      (input: unknown, options: StartOptions = {}): WorkflowRef =>
        refusedBy(`ctx.start.${workflow}`, () => ({
          id: start({ workflow, id: startIdOf(options), input: keptJson("the input", input) }),
        })),
  );
}

/** For hosts: `ctx.cancelWorkflow`. @throws VodaError */
export function cancelWorkflowFunction(cancel: (id: string) => boolean): CancelWorkflowFunction {
  return (id) => refusedBy("ctx.cancelWorkflow", () => cancel(workflowIdOf(id)));
}

/** For hosts: `ctx.notify`. @throws VodaError */
export function notifyFunction(notify: (request: SignalRequest) => void): NotifyFunction {
  return (id, what, ...[data]: readonly unknown[]) =>
    refusedBy("ctx.notify", () =>
      notify({ id: workflowIdOf(id), signal: signalNameOf(what), data: keptJson("the data", data) }),
    );
}
