// Connect's unary calls: the body is the message, errors are JSON under an HTTP status.
// https://connectrpc.com/docs/protocol
import { errorJson, httpStatus, retryHeader } from "@voda/proto/error-body";
import { bodyBytesMax } from "@voda/proto/wire";
import type { Content, Failure } from "../../call/index.ts";
import { headerOf, queryOf, type RequestHead } from "../head.ts";
import { type Refusal, refuse } from "../refusal.ts";
import {
  compressionProblem,
  type Dialect,
  type HttpAnswer,
  mediaTypeProblem,
  methodProblem,
} from "./dialect.ts";
import { connectTimeoutMs } from "./timeout.ts";

const base64Url = /^[A-Za-z0-9_-]*$/;

/** A protocol whose errors are JSON under an HTTP status. */
export function jsonRefusal(failure: Failure, status = httpStatus[failure.code]): HttpAnswer {
  const allow = status === 405 ? { allow: "POST" } : {};
  const headers = { "content-type": "application/json", ...retryHeader(failure), ...allow };
  return { status, headers, body: Buffer.from(errorJson(failure)) };
}

/** A body that is its message. */
export const bare = {
  wireBytesMax: bodyBytesMax,
  prefixBytes: 0,
  timeoutMs: connectTimeoutMs,
  prefixProblem: () => undefined,
  message: (body: Buffer) => body,
} as const;

function post(content: Content, contentType: string): Dialect {
  return {
    ...bare,
    content,
    contentType,
    problem(head) {
      const version = headerOf(head, "connect-protocol-version");
      if (version !== undefined && version !== "1")
        return refuse("bad_request", `connect-protocol-version ${version.slice(0, 40)}; this is 1`);
      return compressionProblem(headerOf(head, "content-encoding"));
    },
    // Empty JSON is no value, so it has no type.
    answer: (body) => ({
      status: 200,
      headers: body.length === 0 && content === "json" ? {} : { "content-type": contentType },
      body,
    }),
    refusal: jsonRefusal,
  };
}

/** The message is in the query; only methods without side effects may be called so. */
function get(dialect: Dialect): Dialect {
  return {
    ...dialect,
    problem: getProblem,
    message(_, head) {
      const query = queryOf(head);
      const message = query.get("message") ?? "";
      if (query.get("base64") !== "1") return Buffer.from(message);
      const unpadded = message.replace(/=+$/, "");
      if (!base64Url.test(unpadded))
        throw refuse("bad_request", "the query's message is not URL-safe base64");
      return Buffer.from(unpadded, "base64url");
    },
  };
}

function getProblem(head: RequestHead): Refusal | undefined {
  const query = queryOf(head);
  if (query.get("connect") !== "v1") return methodProblem("GET");
  const encoding = query.get("encoding");
  if (encoding !== "json" && encoding !== "proto")
    return mediaTypeProblem(`encoding=${encoding}`, ["json", "proto"]);
  return compressionProblem(query.get("compression") ?? undefined);
}

export const connectJson = post("json", "application/json");
export const connectProto = post("proto", "application/proto");
const getJson = get(connectJson);
const getProto = get(connectProto);

export function connectGet(head: RequestHead): Dialect {
  return queryOf(head).get("encoding") === "proto" ? getProto : getJson;
}
