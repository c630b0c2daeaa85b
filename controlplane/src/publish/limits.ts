// Bounds of the listener and of the routes. What nodes bound by themselves, with a reason, is not bound here
// a second time.

/**
 * The picker answers from memory; past this the request is hashed to a node. Longer than a busy machine keeps
 * a process waiting: an answer that is given up was work for nothing, and a session that needs a device is
 * refused without its grant and comes again.
 */
export const pickTimeoutMs = 1_000;
/** Calls are answered at their deadline, or at most this long after it. */
export const lateMsMax = 250;
/** A connection that says nothing is closed after this: nothing tells it from one whose client is gone. */
export const firstBytesMs = 10_000;
/**
 * A connection without requests is closed after this; longer than clients and proxies keep theirs by habit.
 */
export const connectionIdleMs = 600_000;
/** A client that answers no ping is gone: HTTP/2 connections with streams are never idle. */
export const pingIntervalMs = 30_000;
/** A ping that is not answered within this ends the connection. */
export const pingTimeoutMs = 10_000;
/** A client has this long to send its headers. */
export const requestHeadersMs = 30_000;
/**
 * Bytes that wait for a client, or for a node, that does not read; beyond them the other side is not read
 * either. Also what is read of one connection before the others have their turn (`docs/limits.md`, Floods).
 */
export const connectionBufferBytes = 1024 * 1024;
/**
 * Of one stream of HTTP/2, to either side: beyond it neither body nor answer is read on, and so much of an
 * answer is kept for a client that does not read it.
 */
export const streamWindowBytes = 64 * 1024;
/** Of all streams of a client's connection together. */
export const clientWindowBytes = 1024 * 1024;
/** Streams of one client's HTTP/2 connection; more wait at the client. */
export const streamsPerClientMax = 1024;
/** A stream without a byte in either direction is reset after this. */
export const streamIdleMs = 3_600_000;
