// HTTP/1.1 on node:http: its parser is the strict one, and this file only turns requests into exchanges.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Crowd } from "./crowd.ts";
import { type CallerSide, Exchange, type Floor } from "./exchange.ts";
import { headerOverheadBytes, originForm, type RequestHead } from "./head.ts";
import { HeadTime } from "./head-time.ts";
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
import { PushedRequest } from "./pushed-request.ts";
import { lateCode, type ParserError, unparsedAnswer } from "./unparsed.ts";

/** The half of a port that speaks HTTP/1.1. */
export interface Http1 {
  readonly server: Server;
  /** Cuts the connections that have no request whose answer is still to come. */
  closeIdle(): void;
}

interface Connection {
  readonly socket: Socket;
  readonly pace: Pace;
  readonly headTime: HeadTime;
  /** Requests that are not answered; pipelining makes it more than one. */
  waiting: number;
  /** Those of them that have not begun: the oldest first. */
  readonly line: (() => void)[];
  /** The one that came last. */
  last: PushedRequest | undefined;
  /** Behind it comes what is no request. */
  unparsed: ParserError | undefined;
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
    const headTime = new HeadTime(floor.clock);
    const pace = paceOf(socket, crowd, headTime);
    const none = { waiting: 0, line: [], last: undefined, unparsed: undefined };
    connections.set(socket, { socket, pace, headTime, ...none });
    socket.on("close", () => {
      connections.delete(socket);
      pace.close();
      headTime.over();
    });
  });
  const take = (request: PushedRequest, response: ServerResponse, isAsking: boolean): void => {
    const connection = connections.get(request.socket);
    if (connection === undefined) return; // it has closed
    // Counted when it comes, not when it begins: a connection with a request in line is not idle.
    connection.waiting += 1;
    connection.last = request;
    connection.headTime.over();
    request.pace = connection.pace;
    let exchange: Exchange | undefined;
    response.on("close", () => {
      connection.waiting -= 1;
      exchange?.gone();
      beginNext(connection);
      refuseUnparsed(connection);
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
  server.on("clientError", (error: ParserError, socket: Duplex) => {
    const connection = connections.get(socket as Socket);
    if (connection === undefined || !socket.writable || error.code === "ECONNRESET") socket.destroy();
    else onClientError(connection, error);
  });
  const closeIdle = (): void => {
    for (const [socket, { waiting }] of connections) if (waiting === 0) socket.destroy();
  };
  return { server, closeIdle };
}

/** A caller who does not read its answers has no further ones made. */
function beginNext(connection: Connection): void {
  const { socket, pace, line, unparsed } = connection;
  if (socket.destroyed) return; // nobody hears what they would answer
  while (connection.waiting - line.length < pipelinedMax) {
    const answer = line.shift();
    if (answer === undefined) break;
    pace.take(answer);
  }
  pace.full(line.length > 0 || unparsed !== undefined);
}

function onClientError(connection: Connection, error: ParserError): void {
  const refuseIt = (): void => {
    connection.unparsed ??= error;
    refuseUnparsed(connection);
  };
  if (error.code === lateCode) connection.headTime.late(refuseIt);
  else refuseIt();
}

/** Behind the answers to those that came before: each of them would be taken for the answer to the next. */
function refuseUnparsed({ socket, pace, waiting, last, unparsed }: Connection): void {
  if (unparsed === undefined || !socket.writable) return;
  const isInBody = last?.complete === false;
  const isNext = waiting <= (isInBody ? 1 : 0);
  pace.full(!isNext);
  if (!isNext) return;
  socket.end(unparsedAnswer(unparsed));
  // its end is read as any other, and not for ever: cut at once, the caller might not read why
  const cut = setTimeout(() => socket.destroy(), discardMsMax);
  socket.on("close", () => clearTimeout(cut));
}

/** node:http pauses and resumes by itself, for callers who do not take their answers: both must agree. */
function paceOf(socket: Socket, crowd: Crowd, headTime: HeadTime): Pace {
  const intake = intakeOf(socket);
  const reading = {
    stop(): void {
      intake.stop();
      headTime.stop();
    },
    start(): void {
      if (socket.isPaused()) return;
      intake.start();
      headTime.start();
    },
  };
  const pace = new Pace(reading, crowd);
  socket.on("pause", () => headTime.stop());
  socket.on("resume", () => {
    headTime.start();
    pace.hold();
  });
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
