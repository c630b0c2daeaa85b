// One port for both versions of HTTP: the first bytes of a connection tell them apart.
import type { Socket } from "node:net";

/** What every HTTP/2 connection starts with (RFC 9113 3.4), as far as no HTTP/1.1 request can begin. */
const http2Preface = Buffer.from("PRI * HTTP/2.0");
/** From the connection to the bytes that tell. */
const sniffMsMax = 10_000;

/**
 * Calls `take` with the version once it is known; the bytes that were looked at are back in the socket. Waits
 * for "readable" and reads, because a socket that was set flowing by "data" refuses the streams of node:http2
 * afterwards. A preface may come in pieces: nothing is decided before a byte differs or all of it is there.
 */
export function sniff(socket: Socket, take: (version: 1 | 2) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const drop = (): void => {
    socket.destroy();
  };
  const peek = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    seen = Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, http2Preface.length);
    const isPreface = http2Preface.compare(seen, 0, length, 0, length) === 0;
    if (isPreface && length < http2Preface.length) return;
    for (const event of ["timeout", "error", "end"]) socket.off(event, drop);
    socket.off("readable", peek);
    socket.setTimeout(0);
    socket.unshift(seen);
    take(isPreface ? 2 : 1);
  };
  socket.setTimeout(sniffMsMax);
  for (const event of ["timeout", "error", "end"]) socket.on(event, drop);
  socket.on("readable", peek);
}
