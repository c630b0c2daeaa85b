// HTTP/2 on node:http2 streams.
import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { type Caller, Exchange, type Floor } from "./exchange.ts";
import { type Head, headerOverheadBytes } from "./head.ts";
import { healthOf } from "./health.ts";
import {
  discardMsMax,
  headersBytesCut,
  keepAliveMs,
  sessionMemoryMiB,
  sessionWindowBytes,
  streamResetsMax,
  streamsPerConnectionMax,
  streamWindowBytes,
} from "./limits.ts";

/** Header fields that a request may have; their bytes are bounded as well. */
const headerPairsMax = 1000;

export function createHttp2(floor: Floor, isClosing: () => boolean): Http2Server {
  const server = createServer({
    settings: {
      maxConcurrentStreams: streamsPerConnectionMax,
      initialWindowSize: streamWindowBytes,
      maxHeaderListSize: headersBytesCut,
      enablePush: false,
    },
    maxHeaderListPairs: headerPairsMax,
    maxSessionMemory: sessionMemoryMiB,
    streamResetBurst: streamResetsMax,
    streamResetRate: streamResetsMax,
  });
  server.on("session", (session) => {
    session.setLocalWindowSize(sessionWindowBytes);
    session.setTimeout(keepAliveMs, () => session.close());
    session.on("error", () => session.destroy());
  });
  server.on("stream", (stream: ServerHttp2Stream, headers, _flags, rawHeaders) =>
    onStream(floor, isClosing, stream, headers, rawHeaders),
  );
  server.on("sessionError", (_error, session) => session.destroy());
  return server;
}

function onStream(
  floor: Floor,
  isClosing: () => boolean,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
): void {
  const head = headOf(headers, rawHeaders);
  stream.on("error", () => stream.destroy());
  const caller = callerOf(stream, head.method === "HEAD");
  if (head.target === "/healthz") {
    const { status, text } = healthOf(isClosing());
    caller.send({ status, headers: { "content-type": "text/plain" }, body: Buffer.from(text) });
    return;
  }
  const exchange = new Exchange(floor, head, caller);
  stream.on("data", (chunk: Buffer) => exchange.push(chunk));
  stream.on("end", () => exchange.end());
  stream.on("close", () => exchange.gone());
}

/** A stream that was reset while its call ran throws when it is written to: each write looks first. */
function callerOf(stream: ServerHttp2Stream, isHead: boolean): Caller {
  const isGone = (): boolean => stream.destroyed || stream.closed;
  return {
    send({ status, headers, body, trailers }) {
      if (isGone() || stream.headersSent) return;
      const head = { ":status": status, ...headers };
      if (trailers !== undefined) {
        stream.once("wantTrailers", () => {
          if (!isGone()) stream.sendTrailers({ ...trailers });
        });
        stream.respond(head, { waitForTrailers: true });
        stream.end(body);
      } else if (body.length === 0 || isHead) stream.respond(head, { endStream: true });
      else {
        stream.respond({ ...head, "content-length": body.length });
        stream.end(body);
      }
    },
    // The answer is complete, so the caller may stop sending (RFC 9113 8.1). Most have sent all by then, and a reset could overtake the
    // answer: so it comes only to those that go on.
    discard() {
      let dropped = 0;
      const stop = (): void => {
        if (!isGone()) stream.close(constants.NGHTTP2_NO_ERROR);
      };
      const timer = setTimeout(stop, discardMsMax);
      stream.on("close", () => clearTimeout(timer));
      stream.removeAllListeners("data");
      stream.on("data", (chunk: Buffer) => {
        dropped += chunk.length;
        if (dropped > streamWindowBytes) stop();
      });
    },
  };
}

function headOf(headers: IncomingHttpHeaders, rawHeaders: readonly string[]): Head {
  let headersBytes = 0;
  for (const text of rawHeaders) headersBytes += text.length;
  headersBytes += (rawHeaders.length / 2) * headerOverheadBytes;
  return { method: headers[":method"] ?? "", target: headers[":path"] ?? "", http: 2, headers, headersBytes };
}
