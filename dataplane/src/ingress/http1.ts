// HTTP/1.1 on node:http: its parser is the strict one, and this file only turns requests into exchanges.
import { createServer, IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { errorJson } from "@voda/proto/error-body";
import { headersBytesMax } from "@voda/proto/wire";
import type { Crowd } from "./crowd.ts";
import { type CallerSide, Exchange, type Floor } from "./exchange.ts";
import { headerOverheadBytes, originForm, type RequestHead } from "./head.ts";
import { answerHealth } from "./health.ts";
import { intakeOf } from "./intake.ts";
import {
  discardBytesMax,
  discardMsMax,
  headersBytesCut,
  headersMsMax,
  joinedBytesMax,
  keepAliveMs,
  pipelinedMax,
} from "./limits.ts";
import { Pace } from "./pace.ts";
import { refuse } from "./refusal.ts";

/** The half of a port that speaks HTTP/1.1. */
export interface Http1 {
  readonly server: Server;
  /** Cuts the connections that have no request whose answer is still to come. */
  closeIdle(): void;
}

/** Takes a body as it comes. */
interface Sink {
  push(chunk: Buffer): void;
  end(): void;
}

/**
 * A request that hands its body on as the parser gives it: as a stream it would take longer than all else
 * that is done for a small call.
 */
class PushedRequest extends IncomingMessage {
  pace: Pace | undefined;
  #sink: Sink | undefined;
  /** What came before the request had its turn. */
  #held: (Buffer | null)[] | undefined;

  /** The first who takes the body, or who drops the rest of it. */
  get sink(): Sink | undefined {
    return this.#sink;
  }

  set sink(sink: Sink) {
    this.#sink = sink;
    const held = this.#held;
    this.#held = undefined;
    for (const chunk of held ?? []) this.#hand(chunk);
  }

  override push(chunk: Buffer | null): boolean {
    if (chunk !== null) this.pace?.chunk();
    if (this.#sink === undefined) (this.#held ??= []).push(chunk);
    else this.#hand(chunk);
    return true;
  }

  #hand(chunk: Buffer | null): void {
    if (chunk === null) this.#sink?.end();
    else this.#sink?.push(chunk);
  }
}

interface Connection {
  readonly socket: Socket;
  readonly pace: Pace;
  /** Requests that are not answered; pipelining makes it more than one. */
  waiting: number;
  /** Those of them that have not begun: the oldest first. */
  readonly line: (() => void)[];
}

/**
 * Never listens: the port hands it connections. `isClosing`: an answer is then the last of its connection.
 */
export function createHttp1(floor: Floor, crowd: Crowd, isClosing: () => boolean): Http1 {
  const connections = new Map<Socket, Connection>();
  const server = createServer({
    IncomingMessage: PushedRequest,
    maxHeaderSize: headersBytesCut,
    headersTimeout: headersMsMax,
    requestTimeout: 0, // bodies have their own bound, the same for both versions
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: 1000,
    insecureHTTPParser: false,
    requireHostHeader: true,
    noDelay: true,
  });
  server.on("connection", (socket) => {
    const pace = paceOf(socket, crowd);
    connections.set(socket, { socket, pace, waiting: 0, line: [] });
    socket.on("close", () => {
      connections.delete(socket);
      pace.close();
    });
  });
  const take = (request: PushedRequest, response: ServerResponse, isAsking: boolean): void => {
    const connection = connections.get(request.socket);
    if (connection === undefined) return; // it has closed
    // Counted when it comes, not when it begins: a connection with a request in line is not idle.
    connection.waiting += 1;
    request.pace = connection.pace;
    let exchange: Exchange | undefined;
    response.on("close", () => {
      connection.waiting -= 1;
      exchange?.gone();
      beginNext(connection);
      // The answer is let out before the connection ends.
      if (connection.waiting === 0 && isClosing()) request.socket.destroySoon();
    });
    const answer = (): void => {
      exchange = onRequest(floor, isClosing, request, response, connection);
      if (isAsking && exchange?.isReceiving === true) response.writeContinue();
    };
    connection.line.push(answer);
    beginNext(connection);
  };
  server.on("request", (request, response) => take(request, response, false));
  // Who asks before sending a body hears at once what the head alone refuses. Nobody can tell whether the
  // body comes then, so it is the last request.
  server.on("checkContinue", (request: PushedRequest, response: ServerResponse) => {
    response.shouldKeepAlive = false;
    take(request, response, true);
  });
  // Node would answer 417 by itself, and take the body without a bound. What is expected beside that need not
  // be given (RFC 9110 10.1.1).
  server.on("checkExpectation", (request: PushedRequest, response: ServerResponse) =>
    take(request, response, false),
  );
  server.on("clientError", onClientError);
  const closeIdle = (): void => {
    for (const [socket, { waiting }] of connections) if (waiting === 0) socket.destroy();
  };
  return { server, closeIdle };
}

/** A caller who does not read its answers has no further ones made. */
function beginNext(connection: Connection): void {
  const { socket, pace, line } = connection;
  if (socket.destroyed) return; // nobody hears what they would answer
  while (connection.waiting - line.length < pipelinedMax) {
    const answer = line.shift();
    if (answer === undefined) break;
    pace.take(answer);
  }
  pace.full(line.length > 0);
}

/** node:http pauses and resumes by itself, for callers who do not take their answers: both must agree. */
function paceOf(socket: Socket, crowd: Crowd): Pace {
  const intake = intakeOf(socket);
  const pace = new Pace(
    {
      stop: () => intake.stop(),
      start: () => (socket.isPaused() ? undefined : intake.start()),
    },
    crowd,
  );
  socket.on("resume", () => pace.hold());
  return pace;
}

/** `/healthz` is answered beside the bounds of calls: a probe must not fail because the node is busy. */
function onRequest(
  floor: Floor,
  isClosing: () => boolean,
  request: PushedRequest,
  response: ServerResponse,
  connection: Connection,
): Exchange | undefined {
  const head = headOf(request);
  const isLast = (): boolean => connection.waiting === 1 && isClosing();
  const caller = callerOf(request, response, isLast);
  if (head.target === "/healthz") {
    answerHealth(caller, isClosing());
    return undefined;
  }
  const exchange = new Exchange(floor, head, caller);
  request.sink ??= exchange;
  return exchange;
}

function callerOf(request: PushedRequest, response: ServerResponse, isLast: () => boolean): CallerSide {
  return {
    send({ status, headers, body }) {
      if (response.destroyed || response.headersSent) return;
      if (isLast()) response.shouldKeepAlive = false;
      headers["content-length"] = String(body.length);
      response.writeHead(status, headers);
      if (body.length > joinedBytesMax) response.end(body);
      // As text of one byte per character it goes into the same write as the head.
      else response.end(Buffer.from(body.buffer, body.byteOffset, body.length).toString("latin1"), "latin1");
    },
    // What is on its way is read and dropped, so that the connection can serve the next request; more than a
    // bound is cut.
    discard() {
      let dropped = 0;
      const cut = (): void => {
        request.socket.destroy();
      };
      const timer = setTimeout(cut, discardMsMax);
      const settle = (): void => {
        clearTimeout(timer);
        request.socket.off("close", settle);
      };
      request.socket.on("close", settle); // an answered request hears nothing of its connection's end
      request.sink = {
        push(chunk) {
          dropped += chunk.length;
          if (dropped > discardBytesMax) cut();
        },
        end: settle,
      };
      // Node drops, uncounted, what comes for an answered request that nobody has begun to read.
      request.read(0);
    },
    cut() {
      request.socket.destroy();
    },
  };
}

function headOf(request: IncomingMessage): RequestHead {
  let headersBytes = 0;
  for (const text of request.rawHeaders) headersBytes += text.length;
  headersBytes += (request.rawHeaders.length / 2) * headerOverheadBytes;
  return {
    method: request.method ?? "",
    ...originForm(request.url ?? "", request.headers),
    http: 1,
    headersBytes,
  };
}

/** By the codes of llhttp and of node:http; all other errors of the parser are plain 400. */
const parserErrors: Readonly<Record<string, readonly [line: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [
    "431 Request Header Fields Too Large",
    `headers exceed headersBytesMax ${headersBytesMax}`,
  ],
  ERR_HTTP_REQUEST_TIMEOUT: [
    "408 Request Timeout",
    `headers were not complete within headersMsMax ${headersMsMax}`,
  ],
};

/** What the parser refuses never becomes a request: the answer is written by hand. */
function onClientError(error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const [line, message] = parserErrors[error.code ?? ""] ?? [
    "400 Bad Request",
    `malformed HTTP/1.1 request: ${error.message}`,
  ];
  const { failure } = refuse(line.startsWith("431") ? "too_large" : "bad_request", message);
  const body = Buffer.from(errorJson(failure));
  const fields = [`HTTP/1.1 ${line}`, "connection: close", "content-type: application/json"];
  const head = [...fields, `content-length: ${body.length}`, "", ""].join("\r\n");
  socket.end(Buffer.concat([Buffer.from(head), body]));
}
