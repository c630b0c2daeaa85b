// Envoy's HTTP/1.1 ext_authz: METHOD /pick<original path>, answered within one tick of the event loop.
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { listenOnSocket } from "@voda/net";
import { headersBytesMax } from "@voda/proto/wire";
import type { Logger } from "pino";
import type { Agents } from "../agents/agents.ts";
import { type PickContext, pick } from "../scheduler/index.ts";
import { answerOf, type HttpAnswer, passed } from "./answer.ts";
import { sessionOf } from "./route.ts";

/** What a pick needs, and who implements a service. */
export interface AuthContext extends PickContext {
  readonly agents: Agents;
}

const prefix = "/pick";
/** A path that Envoy lets through comes with headers of ours. */
const headBytesMax = headersBytesMax + 16 * 1024;

/** On a unix socket: grants are for Envoy alone. @throws when another server is there */
export async function openPicker(
  context: AuthContext,
  at: { readonly path: string; readonly log: Logger },
): Promise<AsyncDisposable> {
  const server = createServer({ maxHeaderSize: headBytesMax }, (request, response) => {
    // Envoy sends no body; whatever comes is read to its end, so that the connection can be used again.
    request.resume();
    const { status, headers, body } = answer(context, request, at.log);
    response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) }).end(body);
  });
  // Envoy keeps its connections; closing idle ones here would race with its next request.
  server.keepAliveTimeout = 0;
  await listenOnSocket(server, at.path);
  return {
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A failure of ours lets the request pass: any node may take it within its own admission. */
function answer(context: AuthContext, request: IncomingMessage, log: Logger): HttpAnswer {
  const path = request.url ?? "";
  if (!path.startsWith(`${prefix}/`)) return { status: 404, headers: {}, body: `not under ${prefix}/\n` };
  try {
    const name = sessionOf(path.slice(prefix.length), request.headers, (namespace, service) =>
      context.agents.implementer(namespace, service),
    );
    return name === undefined ? passed : answerOf(pick(context, name), request.headers["content-type"] ?? "");
  } catch (error) {
    log.error({ err: error, path }, "pick failed");
    return passed;
  }
}
