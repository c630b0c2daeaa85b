// The one listener. It is published once: Envoy cuts the streams on a listener that is replaced, so whatever
// changes is in routes, clusters and assignments.

import { create } from "@bufbuild/protobuf";
import {
  ApiVersion,
  address,
  any,
  duration,
  EarlyHeaderMutationSchema,
  ExtAuthzSchema,
  extension,
  HeaderMutationFilterSchema,
  HeaderToMetadata_ValueType,
  HeaderToMetadataSchema,
  HttpConnectionManager_CodecType,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManagerSchema,
  HttpInspectorSchema,
  type Listener,
  ListenerSchema,
  overAds,
  RouterSchema,
} from "@voda/envoy";
import { headers, headersBytesMax, headersMax, hostCookie } from "@voda/proto/wire";
import {
  clusterNames,
  extAuthzFilter,
  hintMetadata,
  type IngressConfig,
  ingressName,
  ownerMetadata,
} from "./config.ts";
import {
  clientWindowBytes,
  connectionBufferBytes,
  connectionIdleMs,
  firstBytesMs,
  lateMsMax,
  pickTimeoutMs,
  pingIntervalMs,
  pingTimeoutMs,
  requestHeadersMs,
  streamsPerClientMax,
  streamWindowBytes,
} from "./limits.ts";
import { localReplies } from "./local-replies.ts";

/** The same for the life of a mesh: it depends on flags and on nothing that nodes report. */
export function ingressListener(config: IngressConfig): Listener {
  const { listener } = config;
  return create(ListenerSchema, {
    name: ingressName,
    address: address(listener.host, listener.port),
    perConnectionBufferLimitBytes: connectionBufferBytes,
    // Waits for the first bytes, which tell HTTP/1.1 from HTTP/2.
    listenerFilters: [
      {
        name: "envoy.filters.listener.http_inspector",
        configType: { case: "typedConfig", value: any(HttpInspectorSchema, {}) },
      },
    ],
    listenerFiltersTimeout: duration(firstBytesMs),
    filterChains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            configType: { case: "typedConfig", value: connectionManager(config) },
          },
        ],
      },
    ],
  });
}

/** The order of the filters counts: a hint is read before the picker would be asked. */
const connectionManager = ({ listener }: IngressConfig) =>
  any(HttpConnectionManagerSchema, {
    statPrefix: ingressName,
    codecType: HttpConnectionManager_CodecType.AUTO,
    routeSpecifier: { case: "rds", value: { routeConfigName: ingressName, configSource: overAds() } },
    // Clients are outside, on whatever address: their x-envoy-* headers are dropped and x-request-id is made
    // here.
    useRemoteAddress: true,
    // Without this range Envoy takes loopback and private addresses for inside.
    internalAddressConfig: { cidrRanges: [{ addressPrefix: "255.255.255.255", prefixLen: 32 }] },
    maxRequestHeadersKb: headersBytesMax / 1024,
    // Paths pass as they were sent: a key may be "..", or have a slash or a backslash, and escaped it is a
    // part of the key and must not become a separator on the way. Picker and node read a path alike.
    normalizePath: false,
    pathWithEscapedSlashesAction: HttpConnectionManager_PathWithEscapedSlashesAction.KEEP_UNCHANGED,
    commonHttpProtocolOptions: { idleTimeout: duration(connectionIdleMs), maxHeadersCount: headersMax },
    // curl -0, ab and health checkers still speak it.
    httpProtocolOptions: { acceptHttp10: true, defaultHostForHttp10: listener.host },
    http2ProtocolOptions: {
      maxConcurrentStreams: streamsPerClientMax,
      initialStreamWindowSize: streamWindowBytes,
      initialConnectionWindowSize: clientWindowBytes,
      connectionKeepalive: { interval: duration(pingIntervalMs), timeout: duration(pingTimeoutMs) },
    },
    localReplyConfig: localReplies(),
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
      filter("envoy.filters.http.header_mutation", deadline()),
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

/**
 * Connect's deadline and `lateMsMax`, in the words that the router heeds: a node tells at the deadline
 * whether the call began, which Envoy does not know. gRPC's it reads itself and can add nothing to; clients
 * of gRPC hear nothing after it anyway. The router's own header is of no use to clients: it was dropped with
 * the other ones of Envoy. What is no number gives none, and the node refuses it.
 */
function deadline(): ReturnType<typeof any> {
  const header = {
    key: "x-envoy-upstream-rq-timeout-ms",
    value: `%CEL(int(request.headers['connect-timeout-ms']) + ${lateMsMax})%`,
  };
  return any(HeaderMutationFilterSchema, {
    mutations: { requestMutations: [{ action: { case: "append", value: { header } } }] },
  });
}

/** "Where does this session live?", asked over HTTP/1.1 and only when the client brings no hint. */
function picker(): ReturnType<typeof any> {
  return any(ExtAuthzSchema, {
    transportApiVersion: ApiVersion.V3,
    // Without an answer the hash decides, and the node's own admission: calls go on while no picker lives.
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
