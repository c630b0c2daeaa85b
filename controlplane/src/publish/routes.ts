import { create } from "@bufbuild/protobuf";
import {
  any,
  duration,
  PreviousHostsPredicateSchema,
  RetryPolicySchema,
  type Route,
  type RouteConfiguration,
  RouteConfigurationSchema,
  RouteSchema,
} from "@voda/envoy";
import { errorJson, retryHeader } from "@voda/proto/error-body";
import { headers } from "@voda/proto/wire";
import { borderRoutes } from "./border.ts";
import { clusterNames, type IngressConfig, ingressName } from "./config.ts";
import { streamIdleMs } from "./limits.ts";
import { noNode } from "./local-replies.ts";
import { headersToSet, is, unasked } from "./route-parts.ts";

const retries = 2;
/**
 * A retry draws a node until it is another one; of two nodes, three draws would give up on every eighth
 * session of the dead one.
 */
const hostAttempts = 32n;
const apiPrefix = "/voda.api.v1.";
/**
 * A plain path: the key is what is hashed, so that a session has one node whatever protocol it is called by.
 */
const plainPath = "^(?:/namespaces/[^/?]*)?/agents/[^/?]*/([^/?]*).*$";
const plainPrefixes = ["/agents/", "/namespaces/"];

/**
 * @param hasNodes false only before the first node: then calls are told so, while the API is there already
 */
export function ingressRoutes(config: IngressConfig, hasNodes: boolean): RouteConfiguration {
  const sessions = hasNodes ? sessionRoutes(config) : [noNodeRoute()];
  return create(RouteConfigurationSchema, {
    name: ingressName,
    virtualHosts: [
      { name: "all", domains: ["*"], routes: [...borderRoutes(config), apiRoute(config), ...sessions] },
    ],
  });
}

const under = (prefix: string) => ({ pathSpecifier: { case: "prefix" as const, value: prefix } });

/**
 * Whoever holds the client's connection answers at its deadline, whatever is stopped behind it. Calls without
 * one, and streams, are ended by their node, or when nothing was sent for long.
 */
const deadlines = {
  timeout: duration(0),
  idleTimeout: duration(streamIdleMs),
  maxStreamDuration: { grpcTimeoutHeaderMax: duration(0) },
};

/** Deploying needs no session, so nobody is asked where it lives. */
function apiRoute({ edgeSecret }: IngressConfig): Route {
  return create(RouteSchema, {
    match: under(apiPrefix),
    action: {
      case: "route",
      value: {
        clusterSpecifier: { case: "cluster", value: clusterNames.api },
        ...deadlines,
        retryPolicy: retryPolicy(),
      },
    },
    requestHeadersToAdd: headersToSet({ [headers.edge]: edgeSecret }),
    typedPerFilterConfig: unasked(),
  });
}

/** What the hash is made of must be the same in every protocol, or one session would have two nodes. */
const hashOfHeader = (headerName: string, pattern?: string) => ({
  policySpecifier: {
    case: "header" as const,
    value: {
      headerName,
      ...(pattern !== undefined && { regexRewrite: { pattern: { regex: pattern }, substitution: "\\1" } }),
    },
  },
});

function sessionRoutes(config: IngressConfig): Route[] {
  const byPath = hashOfHeader(":path", plainPath);
  return [
    preflightRoute(config),
    ...plainPrefixes.map((prefix) => sessionRoute(config, prefix, byPath)),
    sessionRoute(config, "/", hashOfHeader(headers.session)),
  ];
}

function sessionRoute(
  { edgeSecret }: IngressConfig,
  prefix: string,
  hashPolicy: ReturnType<typeof hashOfHeader>,
): Route {
  return create(RouteSchema, {
    match: under(prefix),
    action: {
      case: "route",
      value: {
        clusterSpecifier: { case: "cluster", value: clusterNames.agents },
        ...deadlines,
        hashPolicy: [hashPolicy],
        retryPolicy: retryPolicy(),
      },
    },
    requestHeadersToAdd: headersToSet({ [headers.edge]: edgeSecret }),
  });
}

/** A browser that asks before it sends is answered by any node: nothing is placed for its question. */
function preflightRoute(config: IngressConfig): Route {
  const route = sessionRoute(config, "/", hashOfHeader(":path", plainPath));
  route.match?.headers.push(is(":method", "OPTIONS"));
  Object.assign(route.typedPerFilterConfig, unasked());
  return route;
}

/** Only what never reached a node is tried again, on another one. */
const retryPolicy = () =>
  create(RetryPolicySchema, {
    retryOn: "connect-failure,refused-stream,reset-before-request",
    numRetries: retries,
    hostSelectionRetryMaxAttempts: hostAttempts,
    retryHostPredicate: [
      {
        name: "envoy.retry_host_predicates.previous_hosts",
        configType: { case: "typedConfig", value: any(PreviousHostsPredicateSchema, {}) },
      },
    ],
    retryBackOff: { baseInterval: duration(5), maxInterval: duration(50) },
  });

function noNodeRoute(): Route {
  return create(RouteSchema, {
    match: under("/"),
    action: {
      case: "directResponse",
      value: { status: 503, body: { specifier: { case: "inlineString", value: errorJson(noNode) } } },
    },
    responseHeadersToAdd: headersToSet({ ...retryHeader(noNode), "content-type": "application/json" }),
    typedPerFilterConfig: unasked(),
  });
}
