// A whole ingress for tests: a real Envoy with the published configuration, nodes and an API that say who
// they are, a picker.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import {
  createServer as createHttp1,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import {
  connect,
  createServer as createHttp2,
  type Http2ServerRequest,
  Http2ServerResponse,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { freePorts } from "@voda/cli/harness";
import { openPublisher, type Publisher } from "@voda/controlplane/publish";
import {
  type ConfigurationSource,
  keepLast,
  type Nack,
  openXdsServer,
  type Snapshot,
  type SnapshotRefusedError,
  type XdsServer,
} from "@voda/envoy";
import { createPort } from "@voda/net";
import { type EdgePaths, openEdgeFolder } from "@voda/proto/edge-folder";
import { headersBytesMax } from "@voda/proto/wire";
import { type RunningEnvoy, startEnvoy } from "./envoy.ts";
import { waitUntil } from "./wait.ts";

const loopback = "127.0.0.1";
/** A name by which the ingress may be called, and an origin whose pages may call it. */
export const testHost = "mesh.example";
export const testOrigin = "https://app.example";
/** What Envoy adds for nodes and API. */
export const testEdgeSecret = "5ec2e7".padEnd(64, "0");

export interface TestServer extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  /** `ip:port`. */
  readonly address: string;
  close(): Promise<void>;
}

type Handler = (
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
) => void;

/** HTTP/1.1 and h2c on one port, as nodes serve them, or on a unix socket, as the control plane does. */
export async function openServer(name: string, handler: Handler, path?: string): Promise<TestServer> {
  // What Envoy lets through is not refused here.
  const http1 = createHttp1({ maxHeaderSize: 2 * headersBytesMax }, handler);
  const many = 1_000_000;
  const http2 = createHttp2(
    { streamResetBurst: many, streamResetRate: many, maxHeaderListPairs: many },
    handler,
  );
  http1.keepAliveTimeout = 0;
  // What goes wrong on a connection its caller sees.
  const { server, sockets } = createPort({ http1, http2, onError: () => undefined });
  if (path === undefined) server.listen(0, loopback);
  else server.listen(path);
  await once(server, "listening");
  const port = path === undefined ? (server.address() as AddressInfo).port : 0;
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { name, port, address: `${loopback}:${port}`, close, [Symbol.asyncDispose]: close };
}

/** What a test node saw, as it tells its caller. */
export interface Seen {
  readonly server: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly httpVersion: string;
}

/** Answers every request with what it saw; to gRPC with the same message and trailers. */
export function openEcho(name: string, path?: string): Promise<TestServer> {
  return openServer(
    name,
    (incoming, response) => {
      void buffer(incoming).then((body) => {
        const isGrpc = incoming.headers["content-type"]?.startsWith("application/grpc") ?? false;
        if (isGrpc && response instanceof Http2ServerResponse) {
          response.setHeader("content-type", "application/grpc");
          response.setHeader("x-server", name);
          response.addTrailers({ "grpc-status": "0" });
          response.end(body);
          return;
        }
        const seen = {
          server: name,
          path: incoming.url,
          headers: incoming.headers,
          body: String(body),
          httpVersion: incoming.httpVersion,
        };
        response.setHeader("content-type", "application/json");
        response.setHeader("x-server", name);
        response.end(JSON.stringify(seen));
      });
    },
    path,
  );
}

export interface Picked {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface TestPicker extends TestServer {
  /** What Envoy asked, oldest first. */
  readonly asked: { path: string; headers: IncomingHttpHeaders }[];
  /** `"hang"` never answers. */
  answer: (path: string, headers: IncomingHttpHeaders) => Picked | "hang";
}

export async function openTestPicker(socket: string): Promise<TestPicker> {
  const asked: TestPicker["asked"] = [];
  const server = await openServer(
    "picker",
    (incoming, response) => {
      const path = incoming.url ?? "";
      asked.push({ path, headers: incoming.headers });
      const picked = picker.answer(path, incoming.headers);
      if (picked === "hang") return;
      response.statusCode = picked.status ?? 200;
      for (const [key, value] of Object.entries(picked.headers ?? {})) response.setHeader(key, value);
      response.end(picked.body ?? "");
    },
    socket,
  );
  const picker: TestPicker = { ...server, asked, answer: () => ({}) };
  return picker;
}

export interface TestIngress extends AsyncDisposable {
  readonly port: number;
  readonly publisher: Publisher;
  readonly envoy: RunningEnvoy;
  readonly picker: TestPicker;
  readonly nacks: Nack[];
  readonly refused: SnapshotRefusedError[];
  /** Publishes these nodes and waits until Envoy has them. */
  setNodes(nodes: readonly TestServer[], draining?: readonly TestServer[]): Promise<void>;
  /** Envoy runs with what was published last. */
  untilAccepted(): Promise<unknown>;
  /** Where Envoy, picker, API and xDS meet; with what Envoy accepted last. */
  readonly edge: EdgePaths;
  /** The control plane is gone. */
  stopXds(): Promise<void>;
  /** One that starts anew. Default: with the nodes of before. */
  startXds(nodes?: readonly TestServer[]): Promise<void>;
  /** SIGKILL, and another one. */
  restartEnvoy(source: ConfigurationSource): Promise<void>;
}

export function report(nodes: readonly TestServer[], draining: readonly TestServer[] = []) {
  return nodes.map((node) => ({ id: node.name, ingress: node.address, draining: draining.includes(node) }));
}

interface Told {
  readonly nacks: Nack[];
  readonly refused: SnapshotRefusedError[];
  published?: Snapshot;
  accepted?: Snapshot;
}

/** What a control plane configures Envoy by, without the rest of it. */
async function openSource(
  edge: EdgePaths,
  port: number,
  told: Told,
): Promise<{ xds: XdsServer; publisher: Publisher }> {
  const xds = await openXdsServer({
    path: edge.xds,
    onNack: (nack) => told.nacks.push(nack),
    onAccepted(snapshot) {
      told.accepted = snapshot;
      keepLast(edge.last, snapshot);
    },
  });
  const publisher = openPublisher({
    xds: {
      publish(snapshot) {
        xds.publish(snapshot);
        told.published = snapshot;
      },
    },
    listener: { host: loopback, port },
    picker: edge.picker,
    api: edge.api,
    edgeSecret: testEdgeSecret,
    allowHosts: [testHost],
    allowOrigins: [testOrigin],
    onRefused: (error) => told.refused.push(error),
    onNoNodes: () => undefined,
  });
  return { xds, publisher };
}

/** @param nodes published before Envoy starts; none: the state before the first node */
export async function openTestIngress(nodes: readonly TestServer[] = []): Promise<TestIngress> {
  await using opened = new AsyncDisposableStack();
  // below those that the system gives to outgoing connections: another process is to listen there
  const [port = 0] = await freePorts(1);
  const folder = mkdtempSync(join(tmpdir(), "voda-ingress-"));
  opened.defer(() => rmSync(folder, { recursive: true, force: true }));
  const edge = openEdgeFolder(folder);
  const picker = opened.use(await openTestPicker(edge.picker));
  opened.use(await openEcho("api", edge.api));
  const told: Told = { nacks: [], refused: [] };
  let { xds, publisher } = await openSource(edge, port, told);
  opened.defer(() => xds[Symbol.asyncDispose]());
  let last: readonly TestServer[] = nodes;
  const untilAccepted = (): Promise<unknown> =>
    waitUntil(() => told.accepted === told.published, "Envoy has accepted everything");
  const publish = async (list: readonly TestServer[], draining?: readonly TestServer[]): Promise<void> => {
    last = list;
    publisher.setNodes(report(list, draining));
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  };
  await publish(nodes);
  let envoy = await startEnvoy({ source: { type: "xds", path: edge.xds } });
  opened.defer(() => envoy.stop());
  await untilAccepted();
  const owned = opened.move();
  return {
    port,
    get publisher() {
      return publisher;
    },
    get envoy() {
      return envoy;
    },
    edge,
    picker,
    nacks: told.nacks,
    refused: told.refused,
    untilAccepted,
    async setNodes(list, draining) {
      await publish(list, draining);
      await untilAccepted();
    },
    async stopXds() {
      publisher[Symbol.dispose]();
      await xds[Symbol.asyncDispose]();
    },
    async startXds(list = last) {
      ({ xds, publisher } = await openSource(edge, port, told));
      await publish(list);
    },
    async restartEnvoy(source) {
      await envoy.stop();
      envoy = await startEnvoy({ source });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** What the server behind Envoy saw; throws when the reply is not from one. */
  seen(): Seen;
}

/** One HTTP/1.1 request on a connection of its own. */
export async function callHttp1(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body = "",
  method = "POST",
): Promise<Reply> {
  const outgoing = request({ host: loopback, port, path, method, headers, agent: false });
  outgoing.end(body);
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  const answer = await text(response);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text: answer,
    seen: () => JSON.parse(answer) as Seen,
  };
}

export interface Http2Reply extends Reply {
  readonly trailers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

/** One HTTP/2 request (prior knowledge) on a connection of its own. */
export async function callHttp2(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body: Uint8Array | string = "",
): Promise<Http2Reply> {
  const session = connect(`http://${loopback}:${port}`);
  try {
    const stream = session.request({ ":method": "POST", ":path": path, ...headers });
    let trailers: Readonly<Record<string, unknown>> = {};
    stream.once("trailers", (received: Readonly<Record<string, unknown>>) => {
      trailers = received;
    });
    stream.end(body);
    const [received] = (await once(stream, "response")) as [IncomingHttpHeaders & { ":status"?: number }];
    const bytes = await buffer(stream);
    const answer = String(bytes);
    return {
      status: received[":status"] ?? 0,
      headers: received,
      text: answer,
      body: bytes,
      trailers,
      seen: () => JSON.parse(answer) as Seen,
    };
  } finally {
    session.close();
  }
}
