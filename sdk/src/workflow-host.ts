// What hosts of workflows are given to do, and what they build for their bodies.

import type { Due } from "@voda/proto/timing";
import type { Logger } from "./context.ts";
import { lengthOf, timeOf } from "./due.ts";
import type { Duration } from "./duration.ts";
import type { Json } from "./json.ts";
import { refuseUnknown } from "./options.ts";
import { type RunOp, type RunRequest, runRequestOf } from "./run.ts";
import { badRequest, properties } from "./session.ts";
import type { WorkflowRunOptions, WorkflowStatus } from "./workflow.ts";
import { checkStepName, keptJson, signalNameOf, workflowIdOf } from "./workflow-name.ts";
import type { NotifyFunction, Signal, WorkflowRef } from "./workflow-start.ts";

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
  /** What the host itself wants of the turn. */
  perform(what: unknown): void;
}

/** Where a context has them: no name, for they are not for authors. */
export const workflowsOfTurn: unique symbol = Symbol.for("voda.workflows");

type Change = (state: object, ctx: object) => unknown;

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
  run(request: RunRequest, undo: ((result: unknown, op: RunOp) => unknown) | undefined): Promise<unknown>;
  tx(name: string, change: Change, undo: Change | undefined): Promise<unknown>;
  sleep(name: string, due: Due): Promise<void>;
  wait(signal: string, timeoutMs: number | undefined): Promise<unknown>;
  status(text: string, progress: number | undefined): void;
}

/** What runs as a workflow. */
export type WorkflowBody = (wf: object, input: unknown) => unknown;

/** Maps of the state that an agent with workflows has beside its own fields. */
export const workflowFields = { rows: "_workflows", journal: "_journal" } as const;
const statusCharsMax = 1_024;
const startNames: ReadonlySet<string> = new Set(["id"]);
const txNames: ReadonlySet<string> = new Set(["undo"]);
const waitNames: ReadonlySet<string> = new Set(["timeout"]);

/** For hosts: the context of a body. */
export function workflowContext(host: WorkflowHost): object {
  const { id, key, signal, log, now, random, uuid } = host;
  return Object.freeze({
    id,
    key,
    signal,
    log,
    now,
    random,
    uuid,
    run: async (name: string, perform: unknown, options: WorkflowRunOptions<unknown> = {}) => {
      const { undo, ...rest } = options;
      if (undo !== undefined && typeof undo !== "function")
        throw badRequest(`wf.run(${JSON.stringify(name)}): undo is a function that takes back what it did`);
      return host.run(runRequestOf("wf.run", name, perform, rest), undo);
    },
    tx: async (name: string, change: unknown, options: { readonly undo?: Change } = {}) => {
      checkStepName("wf.tx", name);
      const what = `wf.tx(${JSON.stringify(name)})`;
      refuseUnknown("tx option", options, txNames);
      for (const one of [change, options.undo ?? change])
        if (typeof one !== "function")
          throw badRequest(`${what} takes functions of the state, not ${typeof one}`);
      return host.tx(name, change as Change, options.undo);
    },
    sleep: async (name: string, time: Duration | Date) => {
      checkStepName("wf.sleep", name);
      return host.sleep(name, dueOf(time, host.nowMs()));
    },
    wait: async (what: Signal<unknown>, options: { readonly timeout?: Duration } = {}) => {
      refuseUnknown("wait option", options, waitNames);
      const { timeout } = options;
      const timeoutMs = timeout === undefined ? undefined : lengthOf("timeout", timeout, 0);
      return host.wait(signalNameOf("wf.wait", what), timeoutMs);
    },
    status(text: string, progress?: number) {
      if (typeof text !== "string" || text.length > statusCharsMax)
        throw badRequest(`wf.status takes a text of at most ${statusCharsMax} characters`);
      if (progress !== undefined && !(progress >= 0 && progress <= 1))
        throw badRequest(`wf.status: progress of ${progress} is not a number from 0 to 1`);
      host.status(text, progress);
    },
  });
}

const dueOf = (time: Duration | Date, nowMs: number): Due =>
  time instanceof Date
    ? { type: "at", ms: timeOf("wf.sleep", time, nowMs) }
    : { type: "in", ms: lengthOf("wf.sleep", time, 0) };

/** For hosts: `ctx.start`. @throws VodaError */
export function startFunctions(start: (request: StartRequest) => string): object {
  return properties((workflow) => (input: unknown, options: { readonly id?: string } = {}): WorkflowRef => {
    refuseUnknown("start option", options, startNames);
    return {
      id: start({
        workflow,
        id: options.id === undefined ? undefined : workflowIdOf(options.id),
        input: keptJson("the input", input),
      }),
    };
  });
}

/** For hosts: `ctx.notify`. @throws VodaError */
export function notifyFunction(notify: (request: SignalRequest) => void): NotifyFunction {
  return (id, what, ...[data]: readonly unknown[]) =>
    notify({
      id: workflowIdOf(id),
      signal: signalNameOf("ctx.notify", what),
      data: keptJson("the data", data),
    });
}
