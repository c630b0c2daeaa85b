// Generated clients of Connect whose calls take effect once: numbered as those of `voda/client` are, and sent
// again under their number.
import { headers as names, numberedMsMax } from "@voda/proto/wire";
import { checkAttempts, delayOf, pause } from "./call.ts";
import { callNumbers, keyId, randomHex } from "./call-number.ts";

/** What of a call of a generated client is read here; streams pass untouched. */
export interface GeneratedCall {
  readonly stream: boolean;
  /** `{base}/{service}/{method}` */
  readonly url: string;
  readonly header: Headers;
  readonly signal: AbortSignal;
}

/** An interceptor of Connect. */
export type CallInterceptor = <C extends GeneratedCall, A>(
  next: (call: C) => Promise<A>,
) => (call: C) => Promise<A>;

/** Connect's number of `unavailable`. */
const unavailable = 14;
const attemptsDefault = 8;

/**
 * For `createConnectTransport({ baseUrl, interceptors: [numberedCalls()] })`: each call has a number in its
 * session, and one that is `unavailable` is sent again under it until the call's time is over, so that it
 * takes effect once. A call with an `idempotency-key` of its own keeps that. One interceptor serves all
 * clients of a program.
 * @param attempts of one call, 1 to 100; default 8
 * @throws RangeError
 */
export function numberedCalls(attempts = attemptsDefault): CallInterceptor {
  checkAttempts("attempts", attempts);
  const numbers = callNumbers();
  return (next) => async (call) => {
    if (call.stream) return next(call);
    const id = await idOf(call);
    if (id === undefined) return next(call);
    try {
      for (let attempt = 1; ; attempt += 1) {
        call.header.set(...id.header());
        try {
          return await next(call);
        } catch (error) {
          if (attempt >= attempts || call.signal.aborted || codeOf(error) !== unavailable) throw error;
          await pause(delayOf(attempt, 0, Number.POSITIVE_INFINITY, Math.random()) ?? 0, call.signal);
        }
      }
    } finally {
      id.done();
    }
  };

  function idOf({ header, url, signal }: GeneratedCall) {
    if (header.has(names.idempotencyKey) || header.has(names.call)) return undefined;
    if (Number(header.get("connect-timeout-ms") ?? 0) > numberedMsMax) return keyId(randomHex());
    const service = url.slice(0, url.lastIndexOf("/"));
    const parts = [names.namespace, names.agent, names.session].map((name) => header.get(name) ?? "");
    return numbers.take([service, ...parts].join("\n"), signal);
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}
