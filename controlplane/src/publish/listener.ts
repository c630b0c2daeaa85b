// The one listener. It is published once: Envoy cuts the streams on a listener that is replaced, so whatever changes is in
// routes, clusters and assignments.

import { create } from "@bufbuild/protobuf";
import {
  ApiVersion,
  address,
  any,
  duration,
  EarlyHeaderMutationSchema,
  ExtAuthzSchema,
  extension,
  HeaderToMetadata_ValueType,
  HeaderToMetadataSchema,
  HttpConnectionManager_CodecType,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManagerSchema,
  type Listener,
  ListenerSchema,
  overAds,
  RouterSchema,
} from "@voda/envoy";
import { headers, headersBytesMax, hostCookie } from "@voda/proto/wire";
import { clusterNames, hintMetadata, type IngressConfig, ingressName, ownerMetadata } from "./config.ts";

/**
 * The picker answers from memory; past this the request is hashed to a node. Longer than a busy machine keeps a process waiting: an
 * answer that is given up was work for nothing, and a session that needs a device is refused without its grant and comes again.
 */
export const pickTimeoutMs = 1_000;
/** A connection without requests is closed after this. */
export const connectionIdleMs = 3_600_000;
/** A client has this long to send its headers. */
export const requestHeadersMs = 30_000;

export const extAuthzFilter = "envoy.filters.http.ext_authz";

export function ingressListener({ listener }: IngressConfig): Listener {
  return create(ListenerSchema, {
    name: ingressName,
    address: address(listener.host, listener.port),
    filterChains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            configType: { case: "typedConfig", value: connectionManager() },
          },
        ],
      },
    ],
  });
}

const connectionManager = () =>
  any(HttpConnectionManagerSchema, {
    statPrefix: ingressName,
    codecType: HttpConnectionManager_CodecType.AUTO,
    routeSpecifier: { case: "rds", value: { routeConfigName: ingressName, configSource: overAds() } },
    // Clients are outside, on whatever address: their x-envoy-* headers are dropped and x-request-id is made here.
    useRemoteAddress: true,
    // Without this range Envoy takes loopback and private addresses for inside.
    internalAddressConfig: { cidrRanges: [{ addressPrefix: "255.255.255.255", prefixLen: 32 }] },
    maxRequestHeadersKb: headersBytesMax / 1024,
    normalizePath: true,
    // A key may have a slash; escaped it is a part of the key and must not become a separator on the way.
    pathWithEscapedSlashesAction: HttpConnectionManager_PathWithEscapedSlashesAction.KEEP_UNCHANGED,
    commonHttpProtocolOptions: { idleTimeout: duration(connectionIdleMs) },
    requestHeadersTimeout: duration(requestHeadersMs),
    // Streams may be silent for long; the routes bound it.
    streamIdleTimeout: duration(0),
    earlyHeaderMutationExtensions: [
      extension("voda.strip", EarlyHeaderMutationSchema, {
        mutations: [headers.grant, headers.edge].map((name) => ({
          action: { case: "remove" as const, value: name },
        })),
      }),
    ],
    httpFilters: [
      filter("envoy.filters.http.header_to_metadata", hints()),
      filter(extAuthzFilter, picker()),
      filter("envoy.filters.http.router", any(RouterSchema, {})),
    ],
  });

const filter = (name: string, value: ReturnType<typeof any>) => ({
  name,
  configType: { case: "typedConfig" as const, value },
});

function hints(): ReturnType<typeof any> {
  const onHeaderPresent = {
    metadataNamespace: hintMetadata.namespace,
    key: hintMetadata.key,
    type: HeaderToMetadata_ValueType.STRING,
  };
  return any(HeaderToMetadataSchema, {
    requestRules: [
      { cookie: hostCookie, onHeaderPresent },
      { header: headers.host, onHeaderPresent },
    ],
  });
}

/** "Where does this session live?", asked over HTTP/1.1 and only when the client brings no hint. */
function picker(): ReturnType<typeof any> {
  return any(ExtAuthzSchema, {
    transportApiVersion: ApiVersion.V3,
    failureModeAllow: true,
    allowedHeaders: exactly([headers.session, headers.namespace, headers.agent, "content-type"]),
    filterEnabledMetadata: {
      filter: hintMetadata.namespace,
      path: [{ segment: { case: "key", value: hintMetadata.key } }],
      value: { matchPattern: { case: "presentMatch", value: true } },
      invert: true,
    },
    services: {
      case: "httpService",
      value: {
        serverUri: {
          uri: `http://${clusterNames.picker}`,
          httpUpstreamType: { case: "cluster", value: clusterNames.picker },
          timeout: duration(pickTimeoutMs),
        },
        pathPrefix: "/pick",
        authorizationResponse: {
          dynamicMetadataFromHeaders: exactly([ownerMetadata.key]),
          allowedUpstreamHeaders: exactly([headers.grant]),
          allowedClientHeaders: exactly([
            "retry-after",
            "content-type",
            "grpc-status",
            "grpc-message",
            "grpc-status-details-bin",
          ]),
        },
      },
    },
  });
}

const exactly = (names: readonly string[]) => ({
  patterns: names.map((name) => ({ matchPattern: { case: "exact" as const, value: name } })),
});
