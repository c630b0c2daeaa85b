// HTTP/2 on node:http2 streams.
import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Crowd } from "./crowd.ts";
import { type CallerSide, Exchange, type Floor } from "./exchange.ts";
import { headerOverheadBytes, type RequestHead } from "./head.ts";
import { answerHealth } from "./health.ts";
import { intakeOf } from "./intake.ts";
import {
  discardMsMax,
  headerPairsMax,
  headersBytesCut,
  keepAliveMs,
  sessionMemoryMiB,
  sessionWindowBytes,
  streamsPerConnectionMax,
  streamWindowBytes,
} from "./limits.ts";
import { Pace } from "./pace.ts";
import { PeerGuard } from "./peer-guard.ts";

/** node:http2 would count the resets of Envoy's connections like all others; `PeerGuard` counts instead. */
const resetsUncounted = 1_000_000;

/** Never listens: the port hands it the connections that begin with the preface of RFC 9113 3.4. */
export function createHttp2(floor: Floor, crowd: Crowd, isClosing: () => boolean): Http2Server {
  const server = createServer({
    settings: {
      maxConcurrentStreams: streamsPerConnectionMax,
      initialWindowSize: streamWindowBytes,
      maxHeaderListSize: headersBytesCut,
      enablePush: false,
    },
    maxHeaderListPairs: headerPairsMax,
    maxSessionMemory: sessionMemoryMiB,
    streamResetBurst: resetsUncounted,
    streamResetRate: resetsUncounted,
  });
  // What goes wrong on a session is its peer's doing: it ends, and nothing of it is worth a line of the log.
  server.on("session", (session) => {
    const connection = new Connection(floor, crowd, session);
    session.setLocalWindowSize(sessionWindowBytes);
    session.setTimeout(keepAliveMs, () => session.close());
    session.on("error", () => session.destroy());
    session.on("stream", (stream: ServerHttp2Stream, headers, _flags, rawHeaders) =>
      connection.onStream(stream, headOf(headers, rawHeaders), isClosing),
    );
  });
  server.on("sessionError", (_error, session) => session.destroy());
  return server;
}

/** Counts by connection what a peer costs: one stream does not show it. */
class Connection {
  readonly #floor: Floor;
  readonly #session: ServerHttp2Session;
  readonly #guard: PeerGuard;
  readonly #pace: Pace;

  constructor(floor: Floor, crowd: Crowd, session: ServerHttp2Session) {
    this.#floor = floor;
    this.#session = session;
    this.#pace = new Pace(intakeOf(session.socket), crowd);
    session.on("close", () => this.#pace.close());
    this.#guard = new PeerGuard(floor.clock.monotonicMs());
  }

  onStream(stream: ServerHttp2Stream, head: RequestHead, isClosing: () => boolean): void {
    stream.on("error", () => stream.destroy());
    stream.on("close", () => this.#closed(stream));
    if (!this.#guard.allowsHead(head.headersBytes, this.#nowMs())) return this.#end();
    const start = (): void => this.#start(stream, head, isClosing);
    // Envoy's connection carries the calls of many: to pace it would make all of them pay for one.
    if (this.#guard.isEdge) start();
    else this.#pace.take(start);
  }

  #start(stream: ServerHttp2Stream, head: RequestHead, isClosing: () => boolean): void {
    if (stream.destroyed || stream.closed) return; // reset while it waited
    const caller = callerOf(stream, { isHead: head.method === "HEAD", cut: () => this.#cut(stream) });
    if (head.target === "/healthz") {
      answerHealth(caller, isClosing());
      return;
    }
    const exchange = new Exchange(this.#floor, head, caller);
    if (exchange.isFromEdge) this.#guard.isEdge = true;
    stream.on("data", (chunk: Buffer) => {
      if (!this.#guard.isEdge) this.#pace.chunk();
      exchange.push(chunk);
    });
    // A stream that the caller resets ends too, and what came of its body is not all of it.
    stream.on("end", () => (stream.aborted ? exchange.gone() : exchange.end()));
    stream.on("close", () => exchange.gone());
  }

  #nowMs(): number {
    return this.#floor.clock.monotonicMs();
  }

  /** A reset costs its sender nothing and us a call: the rapid reset of CVE-2023-44487. */
  #closed({ rstCode }: ServerHttp2Stream): void {
    if (rstCode !== constants.NGHTTP2_NO_ERROR && !this.#guard.allowsReset(this.#nowMs())) this.#end();
  }

  /** Ends the connection of a caller that does not read; of Envoy's, which carries others, the stream. */
  #cut(stream: ServerHttp2Stream): void {
    if (this.#guard.isEdge) stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    else this.#end();
  }

  #end(): void {
    if (this.#session.destroyed) return;
    // by itself `destroy` says that all is well, and callers take answers that are cut for whole ones
    this.#session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    this.#session.destroy();
  }
}

interface CallerOptions {
  readonly isHead: boolean;
  readonly cut: () => void;
}

/** A stream that was reset while its call ran throws when it is written to: each write looks first. */
function callerOf(stream: ServerHttp2Stream, { isHead, cut }: CallerOptions): CallerSide {
  const isGone = (): boolean => stream.destroyed || stream.closed;
  return {
    cut,
    send({ status, headers, body, trailers }) {
      if (isGone() || stream.headersSent) return;
      const head = { ":status": status, ...headers };
      // gRPC and gRPC-Web: the status comes after the body (RFC 9113 8.1), so the stream may not end with it.
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
    // The answer is complete, so the caller may stop sending (RFC 9113 8.1). Most have sent all by then, and
    // a reset could overtake the answer: so it comes only to those that go on.
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

/** With what HTTP/2 adds to each field (RFC 9113 6.5.2): both versions have one bound. */
function headOf(headers: IncomingHttpHeaders, rawHeaders: readonly string[]): RequestHead {
  let headersBytes = 0;
  for (const text of rawHeaders) headersBytes += text.length;
  headersBytes += (rawHeaders.length / 2) * headerOverheadBytes;
  return { method: headers[":method"] ?? "", target: headers[":path"] ?? "", http: 2, headers, headersBytes };
}
