// Floods one connection of an ingress from a thread of its own, as fast as the ingress reads.
import { connect, type Socket } from "node:net";
import { workerData } from "node:worker_threads";
import { streamWindowBytes } from "../src/ingress/limits.ts";

/** What a connection is flooded with. */
export type Flood = "http1-chunks" | "http1-requests" | "http2-data" | "http2-requests";

const { port, flood } = workerData as { readonly port: number; readonly flood: Flood };
const path = "/agents/probe/flood/echo";
const blockBytes = 256 * 1024;
/** Below what one connection may have open, so that nothing is refused. */
const streamsMax = 2000;
const framesAtOnce = 10_000;

const post = `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n`;
const block = (text: string): Buffer => Buffer.from(text.repeat(Math.ceil(blockBytes / text.length)));
const headBytes = 9;
const frameTypes = { data: 0, headers: 1, settings: 4, window: 8 };
const frameOf = (type: number, flags: number, stream: number, payload: Uint8Array): Buffer => {
  const head = Buffer.alloc(headBytes);
  head.writeUIntBE(payload.length, 0, 3);
  head.set([type, flags], 3);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};
const literal = (index: number, text: string): Buffer =>
  Buffer.from([index, text.length, ...Buffer.from(text)]);
/** HPACK: POST, http, and two fields that are not indexed. */
const fields = Buffer.concat([Buffer.from([0x83, 0x86]), literal(4, path), literal(1, "localhost")]);
const preface = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  frameOf(frameTypes.settings, 0, 0, Buffer.alloc(0)),
]);
const [endsStream, endsHeaders, endsBoth] = [1, 4, 5];

function writeOn(socket: Socket, bytes: Buffer): void {
  const more = (): void => {
    while (socket.writable && socket.write(bytes));
  };
  socket.on("drain", more);
  more();
}

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

function onFrame(socket: Socket, take: (frame: Frame) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const end = rest.length < headBytes ? Number.POSITIVE_INFINITY : headBytes + rest.readUIntBE(0, 3);
      if (rest.length < end) return;
      const [type = 0, flags = 0] = rest.subarray(3);
      take({ type, flags, stream: rest.readUInt32BE(5), payload: rest.subarray(headBytes, end) });
      rest = rest.subarray(end);
    }
  });
}

/** A new stream for each that was answered; the answers are counted by the frames that end them. */
function requestOn(socket: Socket): void {
  let [next, open] = [1, 0];
  const more = (): void => {
    const frames: Buffer[] = [];
    for (; open < streamsMax; open += 1, next += 2)
      frames.push(frameOf(frameTypes.headers, endsBoth, next, fields));
    if (frames.length > 0) socket.write(Buffer.concat(frames));
  };
  onFrame(socket, ({ type, flags }) => {
    const isOfStream = type === frameTypes.data || type === frameTypes.headers;
    if (isOfStream && (flags & endsStream) > 0) open -= 1;
    more();
  });
  more();
}

/** One body, within its window; another connection when it is refused for its size. */
function sendOn(socket: Socket): void {
  let credit = 0;
  const bytes = Buffer.concat(Array.from({ length: framesAtOnce }, () => frameOf(0, 0, 1, Buffer.from("1"))));
  onFrame(socket, ({ type, stream, payload }) => {
    if (type === frameTypes.settings && credit === 0) credit = streamWindowBytes;
    if (type === frameTypes.window && stream === 1) credit += payload.readUInt32BE(0);
    if (type === frameTypes.headers) socket.destroy();
    for (; socket.writable && credit >= framesAtOnce; credit -= framesAtOnce) socket.write(bytes);
  });
}

const floods: Readonly<Record<Flood, (socket: Socket) => void>> = {
  "http1-chunks"(socket) {
    socket.write(`${post}transfer-encoding: chunked\r\n\r\n`);
    writeOn(socket, block("1\r\n1\r\n"));
  },
  "http1-requests": (socket) => writeOn(socket, block(`${post}content-length: 1\r\n\r\n1`)),
  "http2-data"(socket) {
    socket.write(Buffer.concat([preface, frameOf(frameTypes.headers, endsHeaders, 1, fields)]));
    sendOn(socket);
  },
  "http2-requests"(socket) {
    socket.write(preface);
    requestOn(socket);
  },
};

function begin(): void {
  const socket = connect(port, "127.0.0.1", () => floods[flood](socket));
  socket.on("error", () => undefined);
  socket.on("data", () => undefined);
  socket.on("close", () => setTimeout(begin, 10));
}
begin();
