// One port that speaks both versions of HTTP: it accepts, looks, and hands on to the server of that version.
import { once } from "node:events";
import type { Server as Http1Server } from "node:http";
import type { Http2Server, Http2Session } from "node:http2";
import { createServer, type Server, type Socket } from "node:net";
import { sniff } from "./sniff.ts";

/** A port for both versions; whoever made it owns its connections until `close`. */
export interface Port {
  readonly server: Server;
  /** Connections that are open. */
  readonly sockets: ReadonlySet<Socket>;
  /**
   * Accepts nothing more, and lets HTTP/2's sessions go on until their streams have ended. Resolves when no
   * connection is left.
   */
  close(): Promise<void>;
}

/** The two servers behind a port: they never listen themselves, they are handed sockets. */
export interface PortServers {
  readonly http1: Http1Server;
  readonly http2: Http2Server;
  /**
   * Connections that are made before wait unread until then: nobody is told that the program is not ready.
   * Default at once.
   */
  readonly ready?: Promise<void>;
  /** What goes wrong on one connection ends that one. */
  readonly onError: (error: Error) => void;
}

/** To be given to `listen`. */
export function createPort({ http1, http2, ready, onError }: PortServers): Port {
  const sockets = new Set<Socket>();
  const sessions = new Set<Http2Session>();
  http2.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", onError);
    const take = (): void => {
      if (!socket.destroyed)
        sniff(socket, (version) => (version === 2 ? http2 : http1).emit("connection", socket));
    };
    if (ready === undefined) take();
    else void ready.then(take);
  });
  // These two never listen themselves: without this, node:http does not watch over its headersTimeout.
  server.on("listening", () => http1.emit("listening"));
  return {
    server,
    sockets,
    async close() {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      for (const session of sessions) session.close();
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      await closed.promise;
      // Their last event may come after the server's.
      await Promise.all([...sockets].map((socket) => once(socket, "close")));
      http1.close();
    },
  };
}
