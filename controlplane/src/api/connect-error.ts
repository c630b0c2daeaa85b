// Errors as Connect's, with ErrorInfo and RetryInfo. What is neither a refusal of ours nor of the store is
// `internal`, and logged.
import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { codeFromString } from "@connectrpc/connect/protocol-connect";
import { retryHeader } from "@voda/proto/error-body";
import { errorInfo, retryInfo } from "@voda/proto/errors";
import type { Logger } from "pino";
import { ControlError } from "../errors.ts";
import type { Link } from "../nats/link.ts";
import { storeRefusal, wordsForReader } from "../nats/store-refusal.ts";

/** The one place where refusals become errors of Connect, and where what is not one is logged. */
export function mapErrors(link: Link, log: Logger): Interceptor {
  return (next) => async (request) => {
    try {
      return await link.whileUp(next(request));
    } catch (error) {
      throw connectError(error, request.method, log);
    }
  };
}

function connectError(error: unknown, { name, idempotency }: DescMethod, log: Logger): ConnectError {
  if (error instanceof ConnectError) return error;
  const refusal = error instanceof ControlError ? error : storeRefusal(error);
  if (refusal !== undefined) {
    const mapped = new ConnectError(
      idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS
        ? wordsForReader(refusal)
        : refusal.message,
      codeFromString(refusal.code) ?? Code.Unknown,
      retryHeader(refusal),
      undefined,
      error,
    );
    mapped.details = [errorInfo(refusal.reason)];
    if (refusal.retryAfterMs !== undefined) mapped.details.push(retryInfo(refusal.retryAfterMs));
    return mapped;
  }
  log.error({ err: error, method: name }, "an api call failed");
  const mapped = new ConnectError(
    `${name} failed inside the control plane; its log says why`,
    Code.Internal,
    undefined,
    undefined,
    error,
  );
  mapped.details = [errorInfo("internal")];
  return mapped;
}
