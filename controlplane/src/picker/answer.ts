// The HTTP answers of the picker to Envoy's ext_authz: 200 lets the request pass, 429 is passed on to the client.
import { base64Encode } from "@bufbuild/protobuf/wire";
import { errorInfo, grpcCodes, retryInfo, rpcStatus } from "@voda/proto/errors";
import { headers as names } from "@voda/proto/wire";
import { unreachable } from "@voda/stdx";
import type { Pick } from "./pick.ts";
import { type CallerRefusal, callerRefusal } from "./refusal.ts";

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const code = "resource_exhausted";

/** Passes without an owner: Envoy hashes, and the node that gets the request says what is wrong in its protocol. */
export const passed: HttpAnswer = { status: 200, headers: {}, body: "" };

export function answerOf(picked: Pick, contentType: string): HttpAnswer {
  switch (picked.kind) {
    case "owner":
      return { status: 200, headers: { owner: picked.ingress }, body: "" };
    case "placed":
      return { status: 200, headers: { owner: picked.ingress, [names.grant]: picked.grant }, body: "" };
    case "unknown_agent":
      return passed;
    case "refusal":
      return refused(callerRefusal(picked, picked.retryMs), contentType);
    default:
      return unreachable(picked);
  }
}

/**
 * `resource_exhausted` for every protocol: Connect and plain callers read the JSON body; gRPC and gRPC-Web
 * read the `grpc-` headers, and Envoy, which turns a denial into gRPC trailers, keeps a `grpc-status` that is there and
 * takes the body for the message.
 */
function refused({ reason, message, retryAfterMs }: CallerRefusal, contentType: string): HttpAnswer {
  const isGrpc = contentType.startsWith("application/grpc");
  const details = [errorInfo(reason), ...(retryAfterMs === undefined ? [] : [retryInfo(retryAfterMs)])];
  const headers = {
    ...(retryAfterMs !== undefined && { "retry-after": String(Math.ceil(retryAfterMs / 1000)) }),
    "content-type": isGrpc ? "text/plain" : "application/json",
    ...(isGrpc && {
      "grpc-status": String(grpcCodes[code]),
      "grpc-message": encodeURIComponent(message),
      "grpc-status-details-bin": base64Encode(rpcStatus(code, message, details), "std_raw"),
    }),
  };
  const json = {
    code,
    message,
    details: details.map(({ type, value }) => ({ type, value: base64Encode(value, "std_raw") })),
  };
  return { status: 429, headers, body: isGrpc ? message : JSON.stringify(json) };
}
