// The xDS server: delta ADS over gRPC. Everything that decides is in subscription/; here are streams and
// bytes.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type ServerDuplexStream, status } from "@grpc/grpc-js";
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
} from "../gen/envoy/service/discovery/v3/discovery_pb.ts";
import { Acceptance } from "./acceptance.ts";
import { kindOf, type ResourceKind, typeUrls } from "./resource/kind.ts";
import { seal } from "./seal.ts";
import type { SealedSnapshot, Snapshot } from "./snapshot/snapshot.ts";
import {
  isAccepted,
  nextResponse,
  openStream,
  publish,
  receive,
  type Stream,
  type StreamResponse,
} from "./subscription/stream.ts";

/** Proxies that may be connected at once; one more is refused with RESOURCE_EXHAUSTED. */
export const streamsMax = 1024;
/** Names that one proxy may ask for, of one kind. */
export const subscribedNamesMax = 10_000;
/** A proxy that reconnects names all that it has in one message. */
export const requestBytesMax = 16 * 1024 * 1024;
/**
 * A proxy that is cut off without a word holds a stream of `streamsMax`: it is noticed within the sum of the
 * two.
 */
const keepaliveMs = 30_000;
const keepaliveTimeoutMs = 10_000;

/**
 * A proxy refused a response; it keeps what it had, or part of the new (Envoy applies the good half of some).
 */
export interface Nack {
  /** The node id of its bootstrap; "" until it has said it. */
  readonly proxy: string;
  readonly kind: ResourceKind;
  /** What was in the response. */
  readonly resources: readonly string[];
  readonly message: string;
}

/** Serves one configuration to all proxies until it is closed; they keep what they have then. */
export interface XdsServer extends AsyncDisposable {
  /**
   * Makes this the configuration of all proxies. The same snapshot again sends nothing.
   * @throws SnapshotRefusedError when it is not consistent or a set of endpoints is empty; the last one stays
   */
  publish(snapshot: Snapshot): void;
}

/** Where proxies connect, and who hears of what they refuse and take. */
export interface XdsOptions {
  /** Of a unix socket: the folder decides who may connect. Nobody may listen there. */
  readonly path: string;
  readonly onNack?: (nack: Nack) => void;
  /**
   * All proxies run with it; while none is connected, those of before have had `returnMsMax` to come back.
   * Told once of each snapshot, and not of one that a newer one has overtaken.
   */
  readonly onAccepted?: (snapshot: Snapshot) => void;
}

type Call = ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

interface Connection {
  readonly call: Call;
  readonly stream: Stream;
  proxy: string;
  /** Names in the responses that wait for an answer. */
  readonly waiting: Map<ResourceKind, readonly string[]>;
}

/**
 * Until the first `publish` proxies get no answer and wait: an empty one would take their configuration away.
 */
export async function openXdsServer(options: XdsOptions): Promise<XdsServer> {
  const connections = new Set<Connection>();
  let snapshot: SealedSnapshot | undefined;
  const acceptance = new Acceptance(
    () => [...connections].every(({ stream }) => isAccepted(stream)),
    (accepted) => options.onAccepted?.(accepted),
  );
  const server = new Server({
    "grpc.max_receive_message_length": requestBytesMax,
    "grpc.keepalive_time_ms": keepaliveMs,
    "grpc.keepalive_timeout_ms": keepaliveTimeoutMs,
  });
  server.addService(deltaAds, {
    DeltaAggregatedResources: (call: Call) => {
      if (connections.size >= streamsMax) {
        refuse(
          call,
          rpcError(
            status.RESOURCE_EXHAUSTED,
            `${connections.size} proxies are connected, streamsMax is ${streamsMax}`,
          ),
        );
        return;
      }
      const connection = connect(call, snapshot);
      connections.add(connection);
      serve(connection, options, {
        answered: () => acceptance.settle(),
        gone: () => {
          if (connections.delete(connection)) acceptance.gone();
        },
      });
    },
  });
  await bind(server, options.path);
  return {
    publish(next) {
      snapshot = seal(next);
      acceptance.published(next);
      for (const connection of connections) {
        publish(connection.stream, snapshot);
        flush(connection);
      }
    },
    async [Symbol.asyncDispose]() {
      acceptance.close();
      for (const { call } of connections) call.end();
      server.forceShutdown();
      connections.clear();
      await Promise.resolve();
    },
  };
}

/** Without TLS and tokens: the kernel lets in who may enter the folder of the socket. */
function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(new Error(`the xDS server cannot listen on ${path}`, { cause: error }));
    });
  });
}

function connect(call: Call, snapshot: SealedSnapshot | undefined): Connection {
  return { call, stream: openStream(snapshot), proxy: "", waiting: new Map() };
}

/** Until the stream ends, however it does: `gone` may be called more than once. */
function serve(
  connection: Connection,
  options: XdsOptions,
  { answered, gone }: { readonly answered: () => void; readonly gone: () => void },
): void {
  const { call } = connection;
  const onRequest = (request: DeltaDiscoveryRequest): void => {
    const problem = take(connection, request, options);
    if (problem === undefined) {
      flush(connection);
      return answered();
    }
    call.off("data", onRequest);
    refuse(call, problem);
  };
  call.on("data", onRequest);
  call.on("end", () => call.end());
  call.on("error", gone); // a proxy that breaks its stream comes back with what it has
  call.on("cancelled", gone);
  call.on("close", gone);
}

/**
 * Ends a stream with a status that the proxy reads. grpc-js sends what its own listener of `error` is told;
 * `destroy` closes the stream without it, and the proxy waits for its deadline.
 */
function refuse(call: Call, problem: Error): void {
  call.emit("error", problem);
}

/**
 * A request of the proxy, noted in its stream; what it then is owed `flush` sends. Only a request that
 * settles the response that was waiting tells of a refusal: a late answer is to an older one.
 *
 * @returns why the proxy is refused
 */
function take(
  connection: Connection,
  request: DeltaDiscoveryRequest,
  options: XdsOptions,
): Error | undefined {
  const { stream, waiting } = connection;
  if (request.node !== undefined) connection.proxy = request.node.id;
  if (request.typeUrl === "")
    return rpcError(status.INVALID_ARGUMENT, "type_url is empty; an aggregated stream needs it");
  const kind = kindOf(request.typeUrl);
  // Other kinds (secrets, runtimes) do not exist here: the proxy's request stays open without an answer.
  if (kind === undefined) return undefined;
  const error = request.errorDetail?.message;
  const resources = waiting.get(kind) ?? [];
  const before = stream.subscriptions.get(kind)?.pending;
  const refused = receive(stream, kind, {
    subscribe: request.resourceNamesSubscribe,
    unsubscribe: request.resourceNamesUnsubscribe,
    initialVersions: request.initialResourceVersions,
    nonce: request.responseNonce,
    error,
  });
  const after = stream.subscriptions.get(kind);
  const names = (after?.names.size ?? 0) + (after?.owed.size ?? 0);
  if (names > subscribedNamesMax) {
    return rpcError(
      status.RESOURCE_EXHAUSTED,
      `${names} ${kind} names exceed subscribedNamesMax ${subscribedNamesMax}`,
    );
  }
  if (before === undefined || after?.pending !== undefined) return undefined;
  waiting.delete(kind);
  if (refused) options.onNack?.({ proxy: connection.proxy, kind, resources, message: error ?? "" });
  return undefined;
}

/**
 * At most one response per kind waits for its answer, so at most four are in the send buffer of a proxy that
 * does not read.
 */
function flush({ stream, call, waiting }: Connection): void {
  for (let response = nextResponse(stream); response !== undefined; response = nextResponse(stream)) {
    waiting.set(response.kind, [...response.upserts.map(({ name }) => name), ...response.removals]);
    call.write(encode(response));
  }
}

function encode({ kind, nonce, upserts, removals }: StreamResponse): DeltaDiscoveryResponse {
  const typeUrl = typeUrls[kind];
  return create(DeltaDiscoveryResponseSchema, {
    typeUrl,
    nonce,
    resources: upserts.map(({ name, version, body }) => ({
      name,
      version,
      resource: { typeUrl, value: body },
    })),
    removedResources: [...removals],
    controlPlane: { identifier: "voda" },
  });
}

function rpcError(code: status, details: string): Error {
  return Object.assign(new Error(details), { code, details });
}

const deltaAds = {
  DeltaAggregatedResources: {
    path: "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
    requestStream: true,
    responseStream: true,
    requestDeserialize: (bytes: Buffer): DeltaDiscoveryRequest =>
      fromBinary(DeltaDiscoveryRequestSchema, bytes),
    requestSerialize: (request: DeltaDiscoveryRequest): Buffer =>
      Buffer.from(toBinary(DeltaDiscoveryRequestSchema, request)),
    responseDeserialize: (bytes: Buffer): DeltaDiscoveryResponse =>
      fromBinary(DeltaDiscoveryResponseSchema, bytes),
    responseSerialize: (response: DeltaDiscoveryResponse): Buffer =>
      Buffer.from(toBinary(DeltaDiscoveryResponseSchema, response)),
  },
} as const satisfies Record<string, object>;
