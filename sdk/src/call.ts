// One call over HTTP: its attempts, its deadline, its hint, its id.
import { headers as names, numberedMsMax } from "@voda/proto/wire";
import { readAnswer } from "./answer.ts";
import { type CallId, type CallNumbers, keyId, randomHex } from "./call-number.ts";
import { VodaError } from "./error.ts";
import type { HintCache } from "./hint.ts";
import { shown } from "./shown.ts";

/** What all calls of a client share. */
export interface Endpoint {
  /** URL before `/agents`. */
  readonly base: string;
  /** Infinity: as many as fit into the time of a call. */
  readonly attemptsMax: number;
  readonly fetch: typeof fetch;
  /** Where sessions were last found. */
  readonly hints: HintCache;
  readonly numbers: CallNumbers;
}

/** One call as the user made it: the same for all its attempts. */
export interface Call {
  /** `agent/key`, for the hint. */
  readonly session: string;
  readonly url: string;
  /** JSON; `undefined` sends no content. */
  readonly body: string | undefined;
  /** Idempotency key that the caller chose. */
  readonly id: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly headers: Headers;
}

/** Of one call, where their number is chosen. */
const attemptsChosenMax = 100;

/** @throws RangeError */
export function checkAttempts(what: string, count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > attemptsChosenMax)
    throw new RangeError(`${what} of ${shown(count)} is not a whole number of 1 to ${attemptsChosenMax}`);
}

const backoffFirstMs = 100;
const backoffMsMax = 2_000;
/** In less time than this no attempt gets its answer. */
const attemptMsMin = 10;

/**
 * The answer, `undefined` when it has no content. A call is sent again until it has an answer or its time is
 * over: a node that restarts, or a session that moves, is away for seconds. What ran out of this time is not
 * sent again, it has none.
 * @throws VodaError
 */
export async function perform(endpoint: Endpoint, call: Call): Promise<unknown> {
  const deadlineMs = performance.now() + call.timeoutMs;
  const timeout = AbortSignal.timeout(call.timeoutMs);
  const signal = call.signal === undefined ? timeout : AbortSignal.any([call.signal, timeout]);
  const id = await idOf(endpoint, call, signal);
  if (id === undefined) throw failure(call, timeout, signal.reason, undefined);
  try {
    return await attempts(endpoint, call, { id, deadlineMs, timeout, signal });
  } finally {
    id.done();
  }
}

/** `undefined` when the signal fired before there was one. */
async function idOf(endpoint: Endpoint, call: Call, signal: AbortSignal): Promise<CallId | undefined> {
  if (call.id !== undefined) return keyId(call.id);
  if (call.timeoutMs > numberedMsMax) return keyId(randomHex());
  return endpoint.numbers.take(call.session, signal);
}

/** What all attempts of a call have in common. */
interface Budget {
  readonly id: CallId;
  readonly deadlineMs: number;
  readonly timeout: AbortSignal;
  /** Of the timeout and the caller together. */
  readonly signal: AbortSignal;
}

async function attempts(endpoint: Endpoint, call: Call, budget: Budget): Promise<unknown> {
  const { deadlineMs, timeout, signal } = budget;
  let last: VodaError | undefined;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await send(endpoint, call, budget);
    } catch (error) {
      last = failure(call, timeout, error, last);
    }
    if (!last.retryable || signal.aborted || attempt >= endpoint.attemptsMax) throw last;
    const delayMs = delayOf(attempt, last.retryAfterMs ?? 0, deadlineMs - performance.now(), Math.random());
    if (delayMs === undefined) throw last;
    await pause(delayMs, signal);
    if (signal.aborted) throw failure(call, timeout, signal.reason, last);
  }
}

/**
 * How long to wait before the next attempt: full jitter over a doubling step, and never before the time that
 * the mesh asked for. At most half of the time left goes into the jitter, so that the last attempts are not
 * given away. `undefined` when there is no time for another one.
 */
export function delayOf(
  attempt: number,
  retryAfterMs: number,
  leftMs: number,
  random: number,
): number | undefined {
  const spareMs = leftMs - retryAfterMs;
  if (spareMs < attemptMsMin) return undefined;
  const stepMs = Math.min(backoffMsMax, backoffFirstMs * 2 ** Math.min(attempt - 1, 10), spareMs / 2);
  return retryAfterMs + random * stepMs;
}

async function send(endpoint: Endpoint, call: Call, { id, deadlineMs, signal }: Budget): Promise<unknown> {
  const leftMs = Math.max(1, Math.ceil(deadlineMs - performance.now()));
  const headers = new Headers(call.headers);
  headers.set("content-type", "application/json");
  headers.set(...id.header());
  headers.set("connect-timeout-ms", String(leftMs));
  const hint = endpoint.hints.get(call.session);
  if (hint !== undefined) headers.set(names.host, hint);
  const response = await endpoint.fetch(call.url, {
    method: "POST",
    headers,
    signal,
    ...(call.body !== undefined && { body: call.body }),
  });
  const host = response.headers.get(names.host);
  if (host !== null) endpoint.hints.set(call.session, host);
  else if (!response.ok) endpoint.hints.delete(call.session);
  return readAnswer(response.status, await response.text());
}

/** What the caller gets to see of an attempt that failed. */
function failure(call: Call, timeout: AbortSignal, error: unknown, last: VodaError | undefined): VodaError {
  if (VodaError.is(error)) return error;
  if (call.signal?.aborted === true)
    return new VodaError("canceled", "the caller's signal ended the call", {
      reason: "aborted",
      cause: call.signal.reason,
    });
  if (timeout.aborted) {
    const seen = last === undefined ? "" : `; before that: ${last.message}`;
    const words = `no answer within the timeout of ${call.timeoutMs} ms: whether the call took effect is unknown`;
    return new VodaError("deadline_exceeded", `${words}${seen}`, {
      reason: "timed_out",
      cause: last ?? error,
    });
  }
  if (causeText(error) === "bad port")
    return new VodaError(
      "invalid_argument",
      `cannot reach ${call.url}: fetch keeps its port for another protocol, take another`,
      { reason: "unreachable", cause: error },
    );
  return new VodaError("unavailable", `cannot reach ${call.url}: ${causeText(error)}`, {
    reason: "unreachable",
    cause: error,
  });
}

/** Node's fetch says "fetch failed" and hides why in the cause. */
function causeText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause: unknown = error.cause instanceof AggregateError ? error.cause.errors[0] : error.cause;
  return cause instanceof Error && cause.message !== "" ? cause.message : error.message;
}

/** Ends early when the signal fires, and at once when it has. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
  });
}
