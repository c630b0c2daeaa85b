// What Envoy answers by itself, in the caller's protocol: with a code, a reason and what to do, as nodes
// answer.
import { create } from "@bufbuild/protobuf";
import {
  type AccessLogFilter,
  AccessLogFilterSchema,
  ComparisonFilter_Op,
  type LocalReplyConfig,
  LocalReplyConfigSchema,
  type ResponseMapper,
  ResponseMapperSchema,
} from "@voda/envoy";
import { type ErrorBody, errorJson, errorTrailers, retryHeader } from "@voda/proto/error-body";
import { headersBytesMax, headersMax, unknownEffect } from "@voda/proto/wire";
import { borderMessage } from "./border.ts";
import { requestHeadersMs } from "./limits.ts";
import { type HeaderMatcher, headersToSet, isAbsent, isPresent, matches } from "./route-parts.ts";

/** In how long another try may find a node: a start takes about a second. */
const retryAfterMs = 1_000;

interface LocalReply {
  /**
   * Envoy's flags of what went wrong,
   * https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/observability/access_log/usage
   */
  readonly flags?: readonly string[];
  /** Envoy's own status: for what has no flag. */
  readonly status?: number;
  /** What the request says, where others get the same status. */
  readonly request?: HeaderMatcher;
  readonly error: ErrorBody;
  /** When it is not what Envoy would send. */
  readonly as?: number;
  /** The body of the others says more. */
  readonly isGrpcOnly?: boolean;
}

/** Before the first node is there. */
export const noNode: ErrorBody = {
  code: "unavailable",
  reason: "closed",
  message: "no node is ready yet: try again in a moment, or ask `npx voda doctor`",
  retryAfterMs,
};

const unavailable = (message: string, more: Partial<ErrorBody> = {}): ErrorBody => ({
  code: "unavailable",
  reason: "closed",
  message,
  ...more,
});
const timedOut = (message: string): ErrorBody => ({
  code: "deadline_exceeded",
  reason: "turn_timeout",
  message,
  metadata: unknownEffect,
});

/** The first that fits counts. Only what Envoy answers is looked at, never what a node or the API says. */
const replies: readonly LocalReply[] = [
  {
    flags: ["SI"],
    as: 504,
    error: timedOut("nothing was sent in either direction for too long; the call may have taken effect"),
  },
  {
    status: 504,
    error: timedOut("the deadline of the call passed before its node answered; it may have taken effect"),
  },
  {
    flags: ["OM"],
    error: unavailable("the proxy is out of memory or of connections; try again", { retryAfterMs }),
  },
  { flags: ["UO"], error: unavailable("too many calls are under way; try again", { retryAfterMs }) },
  {
    flags: ["UH", "NC"],
    error: unavailable("no node takes calls now; try again in a moment", { retryAfterMs }),
  },
  {
    flags: ["UF"],
    error: unavailable("the node was not reached, so nothing has run; try again", { retryAfterMs }),
  },
  {
    flags: ["UC", "UR", "LR", "UPE"],
    as: 503,
    error: unavailable(
      "the node went away before it answered, and the call may have taken effect; repeat it under its idempotency-key",
      { metadata: unknownEffect },
    ),
  },
  {
    status: 431,
    error: {
      code: "resource_exhausted",
      reason: "too_large",
      message: `the headers are more than headersMax ${headersMax}, or than headersBytesMax ${headersBytesMax} bytes`,
    },
  },
  {
    status: 408,
    error: badRequest(
      `the headers of the request were not complete after requestHeadersMs ${requestHeadersMs}`,
    ),
  },
  { status: 400, error: badRequest("this is no request that HTTP allows") },
  // the codec has read no headers then; a node or the picker says 501 of a method
  {
    status: 501,
    request: isAbsent(":method"),
    error: badRequest("this transfer-encoding is not known here: send chunked, or a content-length"),
  },
  {
    status: 403,
    request: isPresent("upgrade"),
    as: 400,
    error: badRequest(
      "connections are not upgraded here: send the call as a POST, without an upgrade header",
    ),
  },
  // a tunnel, and a target without a slash; what nodes and the picker do not find they say themselves
  { flags: ["NR"], error: noSuchTarget() },
  { status: 404, request: matches(":path", { not: "/.*" }), error: noSuchTarget() },
  {
    status: 403,
    isGrpcOnly: true,
    error: {
      code: "permission_denied",
      reason: "origin_refused",
      message: borderMessage,
    },
  },
  { status: 503, isGrpcOnly: true, error: noNode },
];

function noSuchTarget(): ErrorBody {
  const message = "nothing is served at this target: send a POST to /agents/AGENT/KEY/METHOD";
  return { code: "unimplemented", reason: "method_not_found", message };
}

function badRequest(message: string): ErrorBody {
  return { code: "invalid_argument", reason: "bad_request", message };
}

/**
 * Applied to what Envoy answers by itself, denials of the picker and direct responses included where a row
 * fits.
 */
export function localReplies(): LocalReplyConfig {
  return create(LocalReplyConfigSchema, { mappers: replies.flatMap(mappersOf) });
}

function mappersOf(reply: LocalReply): ResponseMapper[] {
  const grpc = inGrpc(reply);
  return reply.isGrpcOnly === true ? [grpc] : [grpc, inJson(reply)];
}

/** Envoy makes trailers of it, keeps a `grpc-status` that is there and takes the body for the message. */
function inGrpc(reply: LocalReply): ResponseMapper {
  const { "grpc-message": _, ...trailers } = errorTrailers(reply.error);
  return create(ResponseMapperSchema, {
    filter: both(caseOf(reply), isGrpc),
    ...textBody(reply.error.message, "text/plain"),
    headersToAdd: headersToSet(trailers),
  });
}

/** For Connect and plain callers; gRPC-Web clients read the status. */
function inJson(reply: LocalReply): ResponseMapper {
  return create(ResponseMapperSchema, {
    filter: caseOf(reply),
    ...(reply.as !== undefined && { statusCode: reply.as }),
    ...textBody(errorJson(reply.error), "application/json"),
    headersToAdd: headersToSet(retryHeader(reply.error)),
  });
}

/** Envoy fills in what stands between percent signs, as in the words of the border. */
const textBody = (text: string, contentType: string) => ({
  bodyFormatOverride: {
    format: {
      case: "textFormatSource" as const,
      value: { specifier: { case: "inlineString" as const, value: text } },
    },
    contentType,
  },
});

function caseOf({ request, ...reply }: LocalReply): AccessLogFilter {
  const answer = answerOf(reply);
  if (request === undefined) return answer;
  return both(answer, create(AccessLogFilterSchema, headerFilter(request)));
}

function answerOf({ flags = [], status = 0 }: LocalReply): AccessLogFilter {
  if (flags.length > 0)
    return create(AccessLogFilterSchema, {
      filterSpecifier: { case: "responseFlagFilter", value: { flags: [...flags] } },
    });
  const value = { defaultValue: status, runtimeKey: `voda.local_reply.${status}` };
  return create(AccessLogFilterSchema, {
    filterSpecifier: {
      case: "statusCodeFilter",
      value: { comparison: { op: ComparisonFilter_Op.EQ, value } },
    },
  });
}

/** Not gRPC-Web, whose clients read HTTP's status. */
const isGrpc = create(
  AccessLogFilterSchema,
  headerFilter(matches("content-type", { as: "application/grpc(?:\\+.*)?" })),
);

function headerFilter(header: HeaderMatcher) {
  return { filterSpecifier: { case: "headerFilter" as const, value: { header } } };
}

function both(...filters: AccessLogFilter[]): AccessLogFilter {
  return create(AccessLogFilterSchema, { filterSpecifier: { case: "andFilter", value: { filters } } });
}
