// The port of a node: everything that clients and Envoy send arrives here.
import { once } from "node:events";
import type { Http2Session } from "node:http2";
import { createServer, type Socket } from "node:net";
import type { Clock } from "@voda/stdx";
import type { Logger } from "pino";
import type { Routes } from "./accept.ts";
import type { Counts, Dispatch, Exchange, Floor } from "./exchange.ts";
import { createHttp1 } from "./http1.ts";
import { createHttp2 } from "./http2.ts";
import { closeMsMax, connectionsMax, sweepMs } from "./limits.ts";
import { sniff } from "./sniff.ts";

export interface IngressOptions {
  readonly host: string;
  /** 0 lets the system pick one. */
  readonly port: number;
  readonly routes: Routes;
  readonly dispatch: Dispatch;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long `close` waits for calls in flight, in milliseconds. Default 10 s. */
  readonly closeMs?: number;
}

export interface IngressStats extends Readonly<Counts> {
  readonly inFlight: number;
  readonly connections: number;
}

export interface Ingress {
  readonly port: number;
  stats(): IngressStats;
  /** Accepts nothing more, waits for the calls in flight at most `closeMs`, then cuts what is left. */
  close(): Promise<void>;
}

/** @throws when the address cannot be listened on */
export async function openIngress(options: IngressOptions): Promise<Ingress> {
  const { host, port, routes, dispatch, clock, log, closeMs = closeMsMax } = options;
  const counts: Counts = { calls: 0, refused: 0, cancelled: 0, timedOut: 0 };
  const floor: Floor = { routes, dispatch, clock, open: new Set<Exchange>(), counts, bodyBytes: 0 };
  const sockets = new Set<Socket>();
  const sessions = new Set<Http2Session>();
  let isClosing = false;
  const http1 = createHttp1(floor, () => isClosing);
  const http2 = createHttp2(floor, () => isClosing);
  http2.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", (error) => log.debug({ error: error.message }, "connection failed"));
    sniff(socket, (version) => (version === 2 ? http2 : http1.server).emit("connection", socket));
  });
  server.maxConnections = connectionsMax;
  server.listen(port, host);
  await once(server, "listening");
  http1.server.emit("listening"); // starts its watch over headersTimeout: this server gets its connections from ours
  const sweeper = setInterval(() => {
    const nowMs = clock.wallMs();
    for (const exchange of floor.open) exchange.sweep(nowMs);
  }, sweepMs);

  async function close(): Promise<void> {
    isClosing = true;
    const closed = once(server, "close");
    server.close();
    for (const session of sessions) session.close();
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
    http1.closeIdle();
    const cut = setTimeout(() => {
      log.warn(
        { calls: floor.open.size, connections: sockets.size },
        "cutting what did not end before closing",
      );
      for (const socket of sockets) socket.destroy();
    }, closeMs);
    await closed;
    await Promise.all([...sockets].map((socket) => once(socket, "close"))); // their last event may come after the server's
    clearTimeout(cut);
    clearInterval(sweeper);
    http1.server.close();
  }

  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    stats: () => ({ ...counts, inFlight: floor.open.size, connections: sockets.size }),
    close,
  };
}
