// Why workflows and steps of theirs have failed, as their session keeps it: whatever was thrown, it can be
// written. An end that the state refused would be tried again for ever, and nothing be undone meanwhile.
import { VodaError, type WorkflowError } from "voda/definition";
import type { Failure } from "../call/index.ts";
import { workflowStartsMax } from "./workflow-bounds.ts";

/** UTF-16 units of the words of one error; the log has all of them. */
export const faultCharsMax = 4_096;
/** Of a reason, which is one word or a few. */
export const reasonCharsMax = 128;
/** Details of one error that are kept, and UTF-16 units of them all. */
export const detailsMax = 16;
export const detailsCharsMax = 1_024;
/** Of why one step could not be undone, where several are told together. */
export const undoFaultCharsMax = 256;
/** Steps that are named of those that could not be undone. */
export const undoFaultsNamed = 16;

/** JSON, as the state has it. */
export type WorkflowFault = { readonly [K in keyof WorkflowError]: WorkflowError[K] };

/** Of a step: with what its body may go on from. */
export type StepFault = WorkflowFault & {
  readonly retryAfterMs?: number;
  readonly details?: Readonly<Record<string, string>>;
};

type Said = WorkflowError & Pick<Failure, "retryAfterMs" | "metadata">;

/** Of any words. */
export function faultOf({ code, reason, message, retryAfterMs, metadata }: Said): StepFault {
  const details = detailsOf(metadata);
  return {
    code,
    reason: reason.slice(0, reasonCharsMax).toWellFormed(),
    message: cut(message, faultCharsMax),
    ...(retryAfterMs !== undefined && { retryAfterMs: Math.floor(retryAfterMs) }),
    ...(details.length > 0 && { details: Object.fromEntries(details) }),
  };
}

/** As many as fit: one that is too long leaves the others their room. */
function detailsOf(metadata: Failure["metadata"] = {}) {
  let left = detailsCharsMax;
  return Object.entries(metadata)
    .filter(([name, value]) => {
      const chars = name.length + value.length;
      if (chars > left) return false;
      left -= chars;
      return true;
    })
    .slice(0, detailsMax)
    .map(([name, value]) => [name.toWellFormed(), value.toWellFormed()] as const);
}

/** As a body hears of it: made of what is kept alone, so it is the same when the body runs again. */
export const errorOf = ({ code, reason, message, retryAfterMs, details }: StepFault): VodaError =>
  new VodaError(code, message, {
    reason,
    ...(retryAfterMs !== undefined && { retryAfter: retryAfterMs }),
    ...(details !== undefined && { details }),
  });

/** What a step rejects with once its workflow is to end. */
export const stopOf = ({ reason, message }: WorkflowFault): VodaError =>
  new VodaError("canceled", message, { reason });

/** Why one step could not be undone, as its entry has it. */
export const cutUndo = (why: string): string => cut(why, undoFaultCharsMax);
export const notUndone = (step: string, why: string): string =>
  `step ${JSON.stringify(step)} could not be undone: ${why}`;
/** This revision has no function for it. */
export const cannotUndo = (step: string): string =>
  `step ${JSON.stringify(step)} was not undone: this revision does not know how`;

/**
 * The end of what was undone, with what could not be: the first of that by name. `logName`: where all of it
 * is found.
 */
export function endOf({ phase, error }: Undoing, failures: readonly string[], logName: string): Undoing {
  const more = failures.length - undoFaultsNamed;
  const words = [error.message, ...failures.slice(0, undoFaultsNamed)];
  if (more > 0) words.push(`and ${more} more steps could not be undone: ${logName} has them`);
  return { phase, error: { ...error, message: words.join("; ") } };
}

/** It comes to an end other than its own: first what it did is undone. */
export type Undoing = { readonly phase: "failed" | "cancelled"; readonly error: WorkflowFault };

export const cancelledFault = (id: string): WorkflowFault => ({
  code: "canceled",
  reason: "workflow_cancelled",
  message: `workflow ${JSON.stringify(id)} was cancelled`,
});

/** Unlike a signal without data, it cannot be taken for one. */
export const lateFault = (signal: string): WorkflowFault => ({
  code: "deadline_exceeded",
  reason: "wait_timeout",
  message: `wf.wait(${JSON.stringify(signal)}): the signal has not come within the timeout`,
});

/** `waits`: the step, as it is written. */
export const givenUpFault = (waits: string): WorkflowFault => ({
  code: "canceled",
  reason: "aborted",
  message: `${waits}: its AbortSignal has fired, so it was given up`,
});

/** With it too many threads or nodes have ended. */
export const lostFault = (id: string): WorkflowFault => ({
  code: "unavailable",
  reason: "worker_lost",
  message: `workflow ${JSON.stringify(id)} was begun workflowStartsMax ${workflowStartsMax} times without a step: it ends its thread or its node, or a step of it takes longer than they live`,
});

function cut(text: string, charsMax: number): string {
  return text.length <= charsMax
    ? text.toWellFormed()
    : `${text.slice(0, charsMax).toWellFormed()}... (${text.length} characters)`;
}
