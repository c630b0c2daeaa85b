// An error as the protocols carry it: google.rpc.Status in bytes, Connect's JSON, HTTP statuses.
import { base64Encode } from "@bufbuild/protobuf/wire";
import { type ErrorDetail, errorInfo, retryInfo, rpcStatus } from "@voda/proto/errors";
import { type Code, errorDomain } from "@voda/proto/wire";
import type { Failure } from "../invocation.ts";

/** https://connectrpc.com/docs/protocol#error-codes */
export const httpStatus: Readonly<Record<Code, number>> = {
  canceled: 499,
  unknown: 500,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 400,
  aborted: 409,
  out_of_range: 400,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  data_loss: 500,
  unauthenticated: 401,
};

interface Detail extends ErrorDetail {
  readonly debug: unknown;
}

/** Body of a Connect error. */
export function errorJson(failure: Failure): string {
  const details = detailsOf(failure).map(({ type, value, debug }) => {
    return { type, value: base64Encode(value, "std_raw"), debug };
  });
  return JSON.stringify({ code: failure.code, message: failure.message, details });
}

/** `google.rpc.Status` in protobuf. */
export function statusBytes(failure: Failure): Uint8Array {
  return rpcStatus(failure.code, failure.message, detailsOf(failure));
}

function detailsOf({ reason, metadata = {}, retryAfterMs }: Failure): Detail[] {
  const details: Detail[] = [
    { ...errorInfo(reason, metadata), debug: { reason, domain: errorDomain, metadata } },
  ];
  if (retryAfterMs !== undefined)
    details.push({ ...retryInfo(retryAfterMs), debug: { retryDelay: `${retryAfterMs / 1000}s` } });
  return details;
}
