// Bounds of one ingress. Sizes that every room shares are in @voda/proto/wire.
import { headersBytesMax, headersMax } from "@voda/proto/wire";

/** A call whose caller names no deadline has this long, or `maxTurn` of its agent where that is longer. */
export const callMsDefault = 60_000;
/** The latest deadline that a caller may name, as long as the longest `maxTurn`. */
export const callMsMax = 3_600_000;
/** From the first byte of a request's headers to the last byte of its body. */
export const headersMsMax = 10_000;
/** From the head to the last byte of the body: what is on its way holds memory, against `callsBytesMax`. */
export const bodyMsMax = 30_000;
/**
 * Longer than Envoy's pools keep an idle connection by habit of its users: the client closes first, so no
 * request meets a closing socket.
 */
export const keepAliveMs = 75_000;
/** How long `close` waits for calls in flight. */
export const closeMsMax = 10_000;
/** How often it is looked for bodies that are late and answers that nobody takes. */
export const sweepMs = 100;

/** Of the port: each has a descriptor and buffers of the system, whether or not it calls. */
export const connectionsMax = 16_384;
/** That came to this port and are not answered; those of other nodes do not count here. */
export const ingressCallsMax = 16_384;
/** Bodies of calls that are not answered. */
export const callsBytesMax = 512 * 1024 * 1024;
/** Answers that their callers have not taken: beyond it the oldest are cut. */
export const unsentBytesMax = 256 * 1024 * 1024;
/** From the answer to its last byte in the system's hands. */
export const unsentMsMax = 30_000;
/**
 * Requests of one HTTP/1.1 connection that have begun and whose answers have not left: their order keeps all
 * answers behind the first, with `turnBytesMax` for each.
 */
export const pipelinedMax = 16;
/**
 * As many as Envoy may have of many clients, also for others: streams that come before a client has read this
 * are refused one by one, and more than a hundred of them end its connection (node:http2).
 */
export const streamsPerConnectionMax = 4096;
/** How long, and on HTTP/1.1 how much, a refused request may still send before it is cut. */
export const discardMsMax = 10_000;
export const discardBytesMax = 16 * 1024 * 1024;
/**
 * Beyond `headersBytesMax` a request is answered with both numbers, beyond this its headers are not even
 * read.
 */
export const headersBytesCut = 2 * headersBytesMax;

/** A body up to this size is copied to stand behind its head in one piece. */
export const joinedBytesMax = 4096;
/** Paths whose reading is remembered, and their length in characters: longer ones are read anew each time. */
export const recentNamesMax = 16_384;
export const recentTextMax = 256;
export const idempotencyKeyBytesMax = 256;
/** After a refusal for lack of room. */
export const busyRetryMs = 100;
/** Resets of one connection that is not Envoy's: at once, and per second. */
export const streamResetsBurst = 1000;
export const streamResetsPerSecond = 100;
/**
 * Heads of one connection that is not Envoy's, in bytes beyond those that are free: at once, and per second.
 */
export const headBytesFree = 4096;
export const headBytesBurst = 4 * 1024 * 1024;
export const headBytesPerSecond = 1024 * 1024;
/**
 * Fields of one head of HTTP/2, beside the bound on their bytes: a stream with more is reset. Envoy adds some
 * to those that it lets through.
 */
export const headerPairsMax = headersMax + 64;
/** Of one HTTP/2 connection: Envoy's carry the bodies of many clients. */
export const sessionMemoryMiB = 256;
/** What one stream may send ahead of what is read of it: a body goes in few round trips. */
export const streamWindowBytes = 1024 * 1024;
/** The same of all streams of a connection together: one that stands still must not stop the others. */
export const sessionWindowBytes = 16 * 1024 * 1024;
/**
 * What one connection that is not Envoy's may have done in a tick of the event loop, about a millisecond's
 * work: a unit is a chunk of a body, however small, and a request is some.
 */
export const tickUnits = 512;
export const chunkUnits = 1;
export const requestUnits = 16;
/** Requests of all such connections together that begin in one tick, before they have turns. */
export const crowdRequests = 256;
/** Chunks beyond the budget, which one read has brought, are paid for with rest at this rate. */
export const restUnitsPerMs = 100;
