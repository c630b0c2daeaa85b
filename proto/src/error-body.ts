// An error as the protocols carry it: Connect's JSON, gRPC's trailers, HTTP's status. Whoever answers a
// caller says it so.
import { base64Encode } from "@bufbuild/protobuf/wire";
import { type ErrorDetail, errorInfo, grpcCodes, retryInfo, rpcStatus } from "./errors.ts";
import { type Code, errorDomain } from "./wire.ts";

/** What a caller is told. */
export interface ErrorBody {
  readonly code: Code;
  /** A `Reason` of voda, or what a handler's VodaError names. */
  readonly reason: string;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
  readonly metadata?: Readonly<Record<string, string>>;
}

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

/**
 * Clients of gRPC bound what they take as trailers, most to 8 KiB with all other headers of an answer, and
 * answer RESOURCE_EXHAUSTED in its place beyond that. So both are counted as they travel: percent-encoded,
 * where a letter like "é" is six bytes, and in base64.
 */
const trailerMessageBytesMax = 2048;
const trailerDetailsBytesMax = 4096;
const utf8 = new TextEncoder();

/** Body of a Connect error. */
export function errorJson(error: ErrorBody): string {
  const details = detailsOf(error).map(({ type, value, debug }) => {
    return { type, value: base64Encode(value, "std_raw"), debug };
  });
  return JSON.stringify({ code: error.code, message: error.message, details });
}

/** HTTP's own word for when to try again: whole seconds, none without `retryAfterMs`. */
export function retryHeader({ retryAfterMs }: ErrorBody): Readonly<Record<string, string>> {
  return retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1000)) };
}

/**
 * gRPC's trailers. A long message is cut, large metadata is left out, and without it still too large, so are
 * all details.
 */
export function errorTrailers(error: ErrorBody): Record<string, string> {
  const { message, encoded } = encodeMessage(error.message, trailerMessageBytesMax);
  const trailers = { "grpc-status": String(grpcCodes[error.code]), "grpc-message": encoded };
  for (const metadata of [error.metadata, {}]) {
    const details = base64Encode(
      statusBytes({ ...error, message, ...(metadata && { metadata }) }),
      "std_raw",
    );
    if (details.length <= trailerDetailsBytesMax) return { ...trailers, "grpc-status-details-bin": details };
  }
  return trailers;
}

/** `google.rpc.Status` in protobuf. */
function statusBytes(error: ErrorBody): Uint8Array {
  return rpcStatus(error.code, error.message, detailsOf(error));
}

interface ShownDetail extends ErrorDetail {
  /** The same for people. */
  readonly debug: unknown;
}

function detailsOf({ reason, metadata = {}, retryAfterMs }: ErrorBody): ShownDetail[] {
  const details: ShownDetail[] = [
    { ...errorInfo(reason, metadata), debug: { reason, domain: errorDomain, metadata } },
  ];
  if (retryAfterMs !== undefined)
    details.push({ ...retryInfo(retryAfterMs), debug: { retryDelay: `${retryAfterMs / 1000}s` } });
  return details;
}

/**
 * Percent-encodes all but printable ASCII, and the percent sign, and says how much of the message has room in
 * `bytesMax`.
 */
function encodeMessage(message: string, bytesMax: number): { message: string; encoded: string } {
  if (message.length <= bytesMax && /^[\x20-\x24\x26-\x7e]*$/.test(message))
    return { message, encoded: message };
  let encoded = "";
  let end = 0;
  for (const character of message) {
    const piece = encodeCharacter(character);
    if (encoded.length + piece.length > bytesMax) break;
    encoded += piece;
    end += character.length;
  }
  return { message: message.slice(0, end), encoded };
}

function encodeCharacter(character: string): string {
  if (/[\x20-\x24\x26-\x7e]/.test(character)) return character;
  let encoded = "";
  for (const byte of utf8.encode(character))
    encoded += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  return encoded;
}
