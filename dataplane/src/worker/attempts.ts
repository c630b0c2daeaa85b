// One step of a handler, tried until it has a result or may not be tried again.
import { unknownEffect } from "@voda/proto/wire";
import { wordsOf } from "@voda/stdx";
import { type RunRequest, sentProblem, VodaError } from "voda/definition";
import { stepBytesMax } from "../call/index.ts";
import { inStep, type Origin } from "./origin.ts";
import type { ThreadWorld } from "./world.ts";

const utf8 = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Who does a step, and for how long. */
export interface Attempting {
  /** Whose step it is. */
  readonly origin: Origin;
  readonly request: RunRequest;
  readonly idempotencyKey: string;
  /** The turn has ended, or nobody waits for it. */
  readonly ended: AbortSignal;
  /** The attempt under way is the last one. */
  readonly last?: AbortSignal;
  readonly after: ThreadWorld["after"];
  /** An attempt has failed, and another one follows. */
  readonly onRetry: (error: unknown, attempt: number, delayMs: number) => void;
}

/** What came of a step. */
export interface Performed {
  /** As the journal has it: JSON, or nothing. */
  readonly bytes: Uint8Array;
  /** As the handler gets it. */
  readonly value: unknown;
}

/** Rejects with what the last attempt threw, with VodaError, or with the reason of `ended`. */
export async function perform(attempting: Attempting): Promise<Performed> {
  return keptOf(attempting.request, await doStep(attempting));
}

/** It was done. @throws VodaError, or BrokenSchemaError: nothing can be kept of it */
export async function keptOf(request: RunRequest, given: unknown): Promise<Performed> {
  const bytes = resultBytes(request, given);
  return { bytes, value: await request.check(resultOf(bytes)) };
}

/** What the journal has, as it was returned. @throws SyntaxError */
export const resultOf = (bytes: Uint8Array): unknown =>
  bytes.length === 0 ? undefined : JSON.parse(decoder.decode(bytes));

/** What the function gives. Rejects when it is not known to have been done. */
export async function doStep(attempting: Attempting): Promise<unknown> {
  const { request, ended, last, onRetry } = attempting;
  const over = last === undefined ? ended : AbortSignal.any([ended, last]);
  let delayMs = request.delayMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await attemptOnce(attempting);
    } catch (error) {
      if (over.aborted || attempt >= request.attemptsMax || isFinal(error)) throw error;
      const waitMs = Math.max(Math.min(delayMs, request.delayMsMax), retryAfterOf(error));
      onRetry(error, attempt, waitMs);
      await within({ ...attempting, ended: over }, waitMs, () => undefined);
      delayMs *= 2;
    }
  }
}

/** The handler goes on when the time is over, whether the step listens to its signal or not. */
async function attemptOnce(attempting: Attempting): Promise<unknown> {
  const { origin, request, idempotencyKey, ended } = attempting;
  const abort = new AbortController();
  const { timeoutMs } = request;
  const end = (reason: unknown): void => abort.abort(reason);
  const onEnded = (): void => end(ended.reason);
  ended.addEventListener("abort", onEnded, { once: true });
  try {
    // what it throws at once rejects too
    const result = inStep(origin, request.name, async () =>
      request.perform({ idempotencyKey, signal: abort.signal }),
    );
    const timedOut = (): never => {
      const error = new StepTimeout(request, timeoutMs ?? 0);
      end(error);
      throw error;
    };
    return await within(attempting, timeoutMs, timedOut, result);
  } finally {
    ended.removeEventListener("abort", onEnded);
  }
}

/** What `result` gives, or `over` once the time is over. Rejects when the turn ends first. */
async function within(
  { ended, after }: Pick<Attempting, "ended" | "after">,
  ms: number | undefined,
  over: () => unknown,
  result?: Promise<unknown>,
): Promise<unknown> {
  ended.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const onEnded = (): void => reject(ended.reason as Error);
  ended.addEventListener("abort", onEnded, { once: true });
  const disarm = ms === undefined ? undefined : after(ms, () => resolve(endOf(over)));
  result?.then(resolve, reject);
  try {
    return await promise;
  } finally {
    disarm?.();
    ended.removeEventListener("abort", onEnded);
  }
}

const endOf = async (over: () => unknown): Promise<unknown> => over();

class StepTimeout extends VodaError {
  constructor({ way, name }: RunRequest, ms: number) {
    const message = `${way}: step ${JSON.stringify(name)} took longer than its timeout of ${ms} ms; nobody knows whether it was done`;
    super("deadline_exceeded", message, { reason: "step_timeout", details: unknownEffect });
  }
}

/** Said on purpose, by its code. */
const isFinal = (error: unknown): boolean =>
  VodaError.is(error) && !error.retryable && !(error instanceof StepTimeout);

function retryAfterOf(error: unknown): number {
  return VodaError.is(error) && typeof error.retryAfterMs === "number" ? error.retryAfterMs : 0;
}

/** @throws VodaError: it was done, and nothing can be kept of it */
function resultBytes(request: RunRequest, result: unknown): Uint8Array {
  if (result === undefined) return new Uint8Array(0);
  const what = notKept(request);
  const problem = sentProblem(result, "it");
  if (problem !== undefined) throw invalidResult(`${what}: ${problem}`);
  const bytes = utf8.encode(JSON.stringify(result));
  if (bytes.length <= stepBytesMax) return bytes;
  const words = `${what}: its ${bytes.length} bytes exceed stepBytesMax ${stepBytesMax}; return less of it`;
  throw new VodaError("resource_exhausted", words, { reason: "too_large" });
}

/** How it is told that a step was done, and its handler has nothing of it; why follows. */
export const notKept = ({ way, name }: RunRequest): string =>
  `${way}: step ${JSON.stringify(name)} was done, and its result is not kept`;
export const invalidResult = (message: string): VodaError =>
  new VodaError("internal", message, { reason: "invalid_result" });

/** For the log. */
export const retryWords = (
  { name, attemptsMax }: RunRequest,
  attempt: number,
  delayMs: number,
  error: unknown,
): string =>
  `step ${JSON.stringify(name)} failed, attempt ${attempt} of ${attemptsMax}; the next in ${delayMs} ms: ${wordsOf(error)}`;
