// Errors as Connect's, with ErrorInfo and RetryInfo. What is not a refusal of ours is `internal`, and logged.
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { codeFromString } from "@connectrpc/connect/protocol-connect";
import { errorInfo, retryInfo } from "@voda/proto/errors";
import type { Logger } from "pino";
import { ControlError } from "../errors.ts";

/** The one place where refusals become errors of Connect, and where what is not one is logged. */
export function mapErrors(log: Logger): Interceptor {
  return (next) => async (request) => {
    try {
      return await next(request);
    } catch (error) {
      throw connectError(error, request.method.name, log);
    }
  };
}

function connectError(error: unknown, method: string, log: Logger): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof ControlError) {
    const mapped = new ConnectError(
      error.message,
      codeFromString(error.code) ?? Code.Unknown,
      undefined,
      undefined,
      error,
    );
    mapped.details = [errorInfo(error.reason)];
    if (error.retryAfterMs !== undefined) mapped.details.push(retryInfo(error.retryAfterMs));
    return mapped;
  }
  log.error({ err: error, method }, "an api call failed");
  const mapped = new ConnectError(
    `${method} failed inside the control plane; its log says why`,
    Code.Internal,
    undefined,
    undefined,
    error,
  );
  mapped.details = [errorInfo("internal")];
  return mapped;
}
