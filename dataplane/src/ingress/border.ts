// What browsers get at a node: refusals, answers that their pages may read, and what they ask before they
// send.
import { borderRules } from "@voda/net";
import { headers } from "@voda/proto/wire";
import type { HttpAnswer } from "./dialect/index.ts";
import { headerOf, type RequestHead } from "./head.ts";
import { type Refusal, refuse } from "./refusal.ts";

/** Where a node may be called, and whose pages may call. */
export interface BorderOptions {
  /** Where the node listens: pages of this host are its own. */
  readonly host: string;
  readonly allowHosts: readonly string[];
  readonly allowOrigins: readonly string[];
}

export interface Border {
  problem(head: RequestHead): Refusal | undefined;
  /**
   * What lets the page of an allowed origin read the answer; nothing for a request that has no origin. Envoy
   * passes on what it has allowed itself, so its pages are told yes.
   */
  readable(head: RequestHead, isFromEdge: boolean): Readonly<Record<string, string>> | undefined;
  /** The answer to a browser that asks before it sends; `undefined` when the request is no such question. */
  preflight(head: RequestHead, isFromEdge: boolean): HttpAnswer | undefined;
}

/** How long a browser may remember the answer to its question, in seconds; Chromium's longest. */
const preflightSeconds = 7200;
const requestHeaders = [
  "content-type",
  "connect-protocol-version",
  "connect-timeout-ms",
  "grpc-timeout",
  "x-grpc-web",
  "x-user-agent",
  headers.idempotencyKey,
  headers.call,
  headers.traceparent,
  headers.session,
  headers.namespace,
  headers.agent,
  headers.host,
].join(", ");
const answerHeaders = [
  headers.host,
  headers.token,
  headers.requestId,
  "retry-after",
  "grpc-status",
  "grpc-message",
  "grpc-status-details-bin",
].join(", ");

/** Of one node: the rules are those of Envoy (`@voda/net`). */
export function createBorder({ host, allowHosts, allowOrigins }: BorderOptions): Border {
  const rules = borderRules({ names: [host, ...allowHosts], origins: allowOrigins });
  const readable: Border["readable"] = (head, isFromEdge) => {
    const origin = headerOf(head, "origin");
    return origin !== undefined && (isFromEdge || rules.isAllowed(origin)) ? readableBy(origin) : undefined;
  };

  return {
    readable,
    problem(head) {
      const problem = rules.problem({
        host: headerOf(head, ":authority") ?? headerOf(head, "host"),
        origin: headerOf(head, "origin"),
        site: headerOf(head, "sec-fetch-site"),
      });
      return problem === undefined ? undefined : refuse("origin_refused", problem);
    },
    preflight(head, isFromEdge) {
      if (head.method !== "OPTIONS" || headerOf(head, "access-control-request-method") === undefined)
        return undefined;
      const isFromOutside = headerOf(head, "access-control-request-private-network") === "true";
      return {
        status: 200,
        headers: {
          ...readable(head, isFromEdge),
          "access-control-allow-methods": "POST, GET",
          "access-control-allow-headers": requestHeaders,
          "access-control-max-age": String(preflightSeconds),
          ...(isFromOutside && { "access-control-allow-private-network": "true" }),
        },
        body: new Uint8Array(0),
      };
    },
  };
}

const readableBy = (origin: string): Readonly<Record<string, string>> => ({
  "access-control-allow-origin": origin,
  "access-control-expose-headers": answerHeaders,
  vary: "origin",
});
