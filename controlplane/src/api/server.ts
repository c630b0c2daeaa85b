// One socket for HTTP/1.1 and h2c: Connect, gRPC-Web and gRPC on it.
import { createServer as createHttp1 } from "node:http";
import { createServer as createHttp2 } from "node:http2";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { createPort, listenOnSocket } from "@voda/net";
import { AgentService, NodeService, PlacementService, QuotaService, SessionService } from "@voda/proto/api";
import { wordsOf } from "@voda/stdx";
import type { Logger } from "pino";
import type { Link } from "../nats/link.ts";
import { type AgentContext, agentService } from "./agent-service.ts";
import { bundleBytesMax } from "./check-deploy.ts";
import { mapErrors } from "./connect-error.ts";
import { nodeService } from "./node-service.ts";
import { placementService } from "./placement-service.ts";
import { type QuotaContext, quotaService } from "./quota-service.ts";
import type { SessionContext } from "./session-context.ts";
import { sessionService } from "./session-service.ts";

/** A bundle as base64 in JSON, and the definitions beside it. */
const requestBytesMax = Math.ceil((bundleBytesMax * 4) / 3) + 1024 * 1024;
const streamsReset = 1_000_000; // a client that cancels much must not end the connection of others (GOAWAY)

/**
 * On a unix socket: who may connect the folder decides. Requests that are under way when it is disposed of
 * are cut off. @throws when another server is there
 */
export async function openApi(
  context: AgentContext & SessionContext & QuotaContext,
  at: { readonly path: string; readonly link: Link; readonly log: Logger },
): Promise<AsyncDisposable> {
  const adapter = connectNodeAdapter({
    routes: (router) => {
      router.service(AgentService, agentService(context));
      router.service(SessionService, sessionService(context));
      router.service(NodeService, nodeService(context.directory));
      router.service(PlacementService, placementService(context));
      router.service(QuotaService, quotaService(context));
    },
    interceptors: [mapErrors(at.link, at.log)],
    readMaxBytes: requestBytesMax,
  });
  const http1 = createHttp1(adapter);
  const http2 = createHttp2({ streamResetBurst: streamsReset, streamResetRate: streamsReset }, adapter);
  const port = createPort({
    http1,
    http2,
    onError: (error) => at.log.debug({ error: wordsOf(error) }, "a connection to the api failed"),
  });
  await listenOnSocket(port.server, at.path);
  return {
    async [Symbol.asyncDispose]() {
      const closed = port.close();
      for (const socket of port.sockets) socket.destroySoon();
      await closed;
    },
  };
}
