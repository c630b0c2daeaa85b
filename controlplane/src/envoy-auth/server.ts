// Envoy's HTTP/1.1 ext_authz: METHOD /pick<original path>, answered within one turn of the event loop.
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { listen } from "@voda/net";
import { headersBytesMax } from "@voda/proto/wire";
import type { Logger } from "pino";
import type { Agents } from "../agents/agents.ts";
import { type OwnPortOptions, ownPortProblem } from "../edge/own-ports.ts";
import { type PickContext, pick } from "../scheduler/index.ts";
import { answerOf, type HttpAnswer, passed } from "./answer.ts";
import { sessionOf } from "./route.ts";

/** Serves Envoy until it is closed. */
export interface Picker extends AsyncDisposable {
  /** `ip:port`. */
  readonly address: string;
  close(): Promise<void>;
}

/** What a pick needs, and who implements a service. */
export interface AuthContext extends PickContext {
  readonly agents: Agents;
}

const prefix = "/pick";
/** A path that Envoy lets through comes with headers of ours. */
const headBytesMax = headersBytesMax + 16 * 1024;

/** @throws when the port is taken */
export async function openPicker(
  context: AuthContext,
  at: OwnPortOptions & { readonly host: string; readonly port: number; readonly log: Logger },
): Promise<Picker> {
  const server = createServer({ maxHeaderSize: headBytesMax }, (request, response) => {
    // Envoy sends no body; whatever comes is read to its end, so that the connection can be used again.
    request.resume();
    const foreign = ownPortProblem(request.headers, at);
    const { status, headers, body } =
      foreign === undefined
        ? answer(context, request, at.log)
        : { ...passed, status: 403, body: `${foreign}\n` };
    response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) }).end(body);
  });
  // Envoy keeps its connections; closing idle ones here would race with its next request.
  server.keepAliveTimeout = 0;
  const { address } = await listen(server, at);
  const close = async (): Promise<void> => {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return { address, close, [Symbol.asyncDispose]: close };
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
