// Details of errors, as every protocol that voda speaks carries them: google.rpc.ErrorInfo, RetryInfo and
// Status.
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { type Code, errorDomain } from "./wire.ts";

/** An `Any` whose type is written without its host. */
export interface ErrorDetail {
  readonly type: string;
  readonly value: Uint8Array<ArrayBuffer>;
}

/** gRPC's numbers of the codes. */
export const grpcCodes = {
  canceled: 1,
  unknown: 2,
  invalid_argument: 3,
  deadline_exceeded: 4,
  not_found: 5,
  already_exists: 6,
  permission_denied: 7,
  resource_exhausted: 8,
  failed_precondition: 9,
  aborted: 10,
  out_of_range: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  data_loss: 15,
  unauthenticated: 16,
} as const satisfies Record<Code, number>;

/** `ErrorInfo {reason = 1, domain = 2, metadata = 3}`. */
export function errorInfo(reason: string, metadata: Readonly<Record<string, string>> = {}): ErrorDetail {
  const writer = new BinaryWriter().uint32(10).string(reason).uint32(18).string(errorDomain);
  for (const [key, value] of Object.entries(metadata)) {
    writer.uint32(26).fork().uint32(10).string(key).uint32(18).string(value).join();
  }
  return { type: "google.rpc.ErrorInfo", value: writer.finish() };
}

/** `RetryInfo {retry_delay = 1}` with `Duration {seconds = 1, nanos = 2}`. */
export function retryInfo(retryAfterMs: number): ErrorDetail {
  const seconds = Math.floor(retryAfterMs / 1000);
  const nanos = (retryAfterMs - seconds * 1000) * 1_000_000;
  const duration = new BinaryWriter().uint32(8).int64(seconds).uint32(16).int32(Math.round(nanos)).finish();
  return { type: "google.rpc.RetryInfo", value: new BinaryWriter().uint32(10).bytes(duration).finish() };
}

/** `Status {code = 1, message = 2, details = 3}`: the value of `grpc-status-details-bin`, before base64. */
export function rpcStatus(
  code: Code,
  message: string,
  details: readonly ErrorDetail[],
): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter().uint32(8).int32(grpcCodes[code]).uint32(18).string(message);
  for (const { type, value } of details) {
    writer.uint32(26).fork().uint32(10).string(`type.googleapis.com/${type}`).uint32(18).bytes(value).join();
  }
  return writer.finish();
}
