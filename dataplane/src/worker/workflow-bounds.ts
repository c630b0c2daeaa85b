// What workflows may take of their session: every bound, and what counts against it (docs/workflows.md).
import { VodaError } from "voda/definition";
import { stepBytesMax } from "../call/index.ts";

/** Workflows of a session that have not ended. */
export const workflowsMax = 1_000;
/** Those whose end is kept; the oldest go. */
export const workflowsEndedMax = 1_000;
/** Steps of one workflow. */
export const workflowStepsMax = 1_000;
/**
 * Bytes of all workflows of a session, those that have ended with them, as the state has them: so long before
 * its own bound they are refused, and the state is never full of them.
 */
export const workflowBytesMax = 8 * 1024 * 1024;
/**
 * Bytes of what stands in one row. It is written again with each step, beside the largest result: both fit
 * into a turn.
 */
export const rowBytesMax = 384 * 1024;
/** Signals of one workflow that it has not waited for yet. */
export const signalsKeptMax = 100;
/** Ends of a thread or a node with a body of it at work, without a step between them, as for a message. */
export const workflowStartsMax = 3;
/** The entry of a step that failed, at most: as much must be free before anything is done outside. */
export const faultEntryBytesMax = 32 * 1_024;
/** The same for each step that is under way beside it: few fail at once, and with few words. */
export const faultEntryBytes = 1_024;
/** Readings of the clock of one workflow: one step of each 1,000 has 16. */
export const workflowTimesMax = 16 * 1_024;
/** Bodies of a session at work at the same time; more wait. */
export const bodiesMax = 64;

/** What is counted of a workflow. */
interface Counted {
  readonly entries: number;
  readonly waits: readonly unknown[];
  readonly kept: readonly unknown[];
}

/** What a text, or a value as JSON, takes. */
export const bytesOf = (value: unknown): number =>
  value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value));

/** @throws VodaError when it is too much for one value */
export function checkSize(what: string, value: unknown): void {
  const bytes = bytesOf(value);
  if (bytes > stepBytesMax)
    throw tooLarge(
      `${what} of ${bytes} bytes exceeds stepBytesMax ${stepBytesMax}; keep it elsewhere, and give where it is`,
    );
}

/** `more`: steps that are at work and have no entry yet. @throws VodaError when one more is too many */
export function checkSteps(id: string, { entries, waits }: Counted, more = 0): void {
  const steps = entries + waits.length + more;
  if (steps >= workflowStepsMax)
    throw tooLarge(
      `workflow ${shown(id)} has ${steps} steps, with workflowStepsMax ${workflowStepsMax}; have it start another one that goes on`,
    );
}

/** @throws VodaError */
export function checkRow(id: string, bytes: number): void {
  if (bytes > rowBytesMax)
    throw tooLarge(
      `input, status and what workflow ${shown(id)} waits for take ${bytes} bytes, with rowBytesMax ${rowBytesMax}; keep the input elsewhere, or wait for less at once`,
    );
}

/** @throws VodaError */
export function checkKept(id: string, { kept }: Counted): void {
  if (kept.length >= signalsKeptMax)
    throw workflowsFull(
      `workflow ${shown(id)} has not waited for ${kept.length} signals, with signalsKeptMax ${signalsKeptMax}; signal it again once it has waited for some, or cancel it`,
    );
}

/** How a bound is told: of the session, or of one workflow. */
export const workflowsFull = (message: string): VodaError =>
  new VodaError("resource_exhausted", message, { reason: "workflows_full" });
export const tooLarge = (message: string): VodaError =>
  new VodaError("resource_exhausted", message, { reason: "too_large" });

const shown = (text: string): string => JSON.stringify(text);
