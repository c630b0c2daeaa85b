// One port for HTTP/1.1 and h2c: the first bytes of a connection say which. Connect, gRPC-Web and gRPC on it.
import { once } from "node:events";
import { createServer as createHttp1 } from "node:http";
import { createServer as createHttp2, type ServerHttp2Session } from "node:http2";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { AgentService, NodeService, PlacementService, QuotaService, SessionService } from "@voda/proto/api";
import type { Logger } from "pino";
import { type AgentContext, agentService } from "./agent-service.ts";
import { bundleBytesMax } from "./check-deploy.ts";
import { mapErrors } from "./connect-error.ts";
import { nodeService } from "./node-service.ts";
import { placementService } from "./placement-service.ts";
import { type QuotaContext, quotaService } from "./quota-service.ts";
import type { SessionContext } from "./session-context.ts";
import { sessionService } from "./session-service.ts";

export interface ApiServer extends AsyncDisposable {
  /** `ip:port`. */
  readonly address: string;
  close(): Promise<void>;
}

/** A bundle as base64 in JSON, and the definitions beside it. */
const requestBytesMax = Math.ceil((bundleBytesMax * 4) / 3) + 1024 * 1024;
/** What every HTTP/2 connection starts with. */
const prefaceStart = "PRI";
/** A connection that says nothing for so long is closed. */
const firstBytesMs = 10_000;
const streamsReset = 1_000_000; // a client that cancels much must not end the connection of others (GOAWAY)

/** @throws when the port is taken */
export async function openApi(
  context: AgentContext & SessionContext & QuotaContext,
  listen: { readonly host: string; readonly port: number; readonly log: Logger },
): Promise<ApiServer> {
  const handler = connectNodeAdapter({
    routes: (router) => {
      router.service(AgentService, agentService(context));
      router.service(SessionService, sessionService(context));
      router.service(NodeService, nodeService(context.directory));
      router.service(PlacementService, placementService(context));
      router.service(QuotaService, quotaService(context));
    },
    interceptors: [mapErrors(listen.log)],
    readMaxBytes: requestBytesMax,
  });
  const http1 = createHttp1(handler);
  const http2 = createHttp2({ streamResetBurst: streamsReset, streamResetRate: streamsReset }, handler);
  const sessions = new Set<ServerHttp2Session>();
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    sniff(socket, (isHttp2) => (isHttp2 ? http2 : http1).emit("connection", socket));
  });
  server.listen(listen.port, listen.host);
  await once(server, "listening");
  const { address, port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    const closed = once(server, "close");
    server.close();
    for (const session of sessions) session.close();
    for (const socket of sockets) socket.destroySoon();
    await closed;
  };
  return { address: `${address}:${port}`, close, [Symbol.asyncDispose]: close };
}

/** Reads the first bytes, puts them back and tells what they begin. */
function sniff(socket: Socket, hand: (isHttp2: boolean) => void): void {
  const fail = (): void => void socket.destroy();
  socket.once("error", fail);
  socket.setTimeout(firstBytesMs, fail);
  socket.once("readable", () => {
    const first = socket.read() as Buffer | null;
    socket.removeListener("error", fail);
    socket.setTimeout(0);
    socket.removeListener("timeout", fail);
    if (first === null) return fail();
    socket.unshift(first);
    hand(first.toString("latin1", 0, prefaceStart.length) === prefaceStart);
  });
}
