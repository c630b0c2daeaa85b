// What web pages may do. A browser lets any page send requests to this port, and a name that an attacker owns
// can lead here (DNS rebinding), so a page's own claims are looked at: the name in Host, the Origin, and
// Sec-Fetch-Site.
import { isIP, isIPv4 } from "node:net";
import { headers } from "@voda/proto/wire";
import { recent } from "../recent.ts";
import type { HttpAnswer } from "./dialect/index.ts";
import { headerOf, type RequestHead } from "./head.ts";
import { recentOriginsMax, recentTextMax } from "./limits.ts";
import { type Refusal, refuse } from "./refusal.ts";

export interface BorderOptions {
  /** Where the node listens: pages of this host are its own. */
  readonly host: string;
  /**
   * Names beside the loopback's by which this node may be called. An address needs no leave: it cannot be
   * rebound.
   */
  readonly allowHosts: readonly string[];
  /** Origins, as `https://app.example`, whose pages may call. Those of the hosts above may anyway. */
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

export function createBorder({ host, allowHosts, allowOrigins }: BorderOptions): Border {
  const hosts = new Set([host, ...allowHosts]);
  const origins = new Set(allowOrigins);
  const isOwnName = (name: string): boolean => isLoopback(name) || hosts.has(name);
  const isHostAllowed = remembered((authority) => {
    const name = hostnameOf(`http://${authority}`);
    return name !== undefined && (isOwnName(name) || isIP(name.replace(/^\[|\]$/g, "")) > 0);
  });
  const isOriginAllowed = remembered((origin) => {
    const name = hostnameOf(origin);
    return origins.has(origin) || (name !== undefined && isOwnName(name));
  });
  const readable: Border["readable"] = (head, isFromEdge) => {
    const origin = headerOf(head, "origin");
    return origin !== undefined && (isFromEdge || isOriginAllowed(origin)) ? readableBy(origin) : undefined;
  };

  return {
    readable,
    problem(head) {
      const authority = headerOf(head, ":authority") ?? headerOf(head, "host");
      if (authority !== undefined && !isHostAllowed(authority))
        return refused(`host ${shown(authority)} is not allowed at this node; --allow-host names more`);
      const origin = headerOf(head, "origin");
      if (origin === undefined)
        return headerOf(head, "sec-fetch-site") === "cross-site"
          ? refused("a page of another site sent this and does not say which")
          : undefined;
      if (isOriginAllowed(origin)) return undefined;
      return refused(`pages of ${shown(origin)} may not call this node; --allow-origin names those that may`);
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

const readableBy = remembered(
  (origin): Readonly<Record<string, string>> => ({
    "access-control-allow-origin": origin,
    "access-control-expose-headers": answerHeaders,
    vary: "origin",
  }),
);

/** Browsers lead every name below `localhost` to the loopback (RFC 6761 6.3). */
function isLoopback(name: string): boolean {
  if (name === "localhost" || name.endsWith(".localhost") || name === "[::1]") return true;
  return name.startsWith("127.") && isIPv4(name);
}

/** In lower case, an address in its one form, so that no other way of writing passes for a name. */
function hostnameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}

/** The few hosts and origins of a mesh are read once. */
function remembered<V>(read: (text: string) => V): (text: string) => V {
  const memory = recent(recentOriginsMax, read);
  return (text) => (text.length > recentTextMax ? read(text) : memory(text));
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

function refused(message: string): Refusal {
  return refuse("origin_refused", message);
}
