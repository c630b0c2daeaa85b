// An error as the protocols carry it: google.rpc.Status in bytes, Connect's JSON, HTTP statuses.
import { type Code, errorDomain } from "@voda/proto/wire";
import { ByteWriter } from "@voda/stdx";
import { codeNumbers } from "../frame/index.ts";
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

const ERROR_INFO = "google.rpc.ErrorInfo";
const RETRY_INFO = "google.rpc.RetryInfo";

interface Detail {
  readonly type: string;
  readonly value: Uint8Array;
  readonly debug: unknown;
}

/** Body of a Connect error. */
export function errorJson(failure: Failure): string {
  const details = detailsOf(failure).map(({ type, value, debug }) => {
    return { type, value: Buffer.from(value).toString("base64").replaceAll("=", ""), debug };
  });
  return JSON.stringify({ code: failure.code, message: failure.message, details });
}

/** `google.rpc.Status` in protobuf. */
export function statusBytes(failure: Failure): Uint8Array {
  const out = new ByteWriter();
  out.varint((1 << 3) | 0);
  out.varint(codeNumbers[failure.code]);
  textField(out, 2, failure.message);
  for (const { type, value } of detailsOf(failure)) {
    const any = new ByteWriter();
    textField(any, 1, `type.googleapis.com/${type}`);
    bytesField(any, 2, value);
    bytesField(out, 3, any.finish());
  }
  return out.finish();
}

function detailsOf(failure: Failure): Detail[] {
  const { reason, metadata = {}, retryAfterMs } = failure;
  const info = new ByteWriter();
  textField(info, 1, reason);
  textField(info, 2, errorDomain);
  for (const [name, value] of Object.entries(metadata)) {
    const entry = new ByteWriter();
    textField(entry, 1, name);
    textField(entry, 2, value);
    bytesField(info, 3, entry.finish());
  }
  const details: Detail[] = [{ type: ERROR_INFO, value: info.finish(), debug: { reason, domain: errorDomain, metadata } }];
  if (retryAfterMs !== undefined) {
    const debug = { retryDelay: `${retryAfterMs / 1000}s` };
    details.push({ type: RETRY_INFO, value: retryInfo(retryAfterMs), debug });
  }
  return details;
}

function retryInfo(retryAfterMs: number): Uint8Array {
  const duration = new ByteWriter(16);
  duration.varint((1 << 3) | 0);
  duration.varint(Math.floor(retryAfterMs / 1000));
  duration.varint((2 << 3) | 0);
  duration.varint(Math.floor((retryAfterMs % 1000) * 1e6));
  const info = new ByteWriter(16);
  bytesField(info, 1, duration.finish());
  return info.finish();
}

function textField(out: ByteWriter, field: number, text: string): void {
  out.varint((field << 3) | 2);
  out.text(text);
}

function bytesField(out: ByteWriter, field: number, bytes: Uint8Array): void {
  out.varint((field << 3) | 2);
  out.block(bytes);
}
