// A process that calls over sockets of its own, each with one call at a time: node:http as a client takes
// more CPU than what is measured. Orders come from `voda bench calls`, its parent.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { prng } from "@voda/stdx";
import { quantile } from "@voda/stdx/bench";

/**
 * POSTs of `1` to `prefix`, a number below `sessions`, `suffix`, until the time is over and every call is
 * answered.
 */
export interface DriveOrder {
  readonly port: number;
  readonly connections: number;
  readonly ms: number;
  readonly prefix: string;
  readonly sessions: number;
  readonly suffix: string;
  readonly seed: number;
}

/** What the driver answers to an order; percentiles are over its calls, failed ones included. */
export interface Driven {
  readonly calls: number;
  /** Answered with another status than 200. */
  readonly failed: number;
  readonly ms: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Answer {
  readonly status: string;
  readonly bytes: number;
}

interface Slice {
  readonly requests: readonly Buffer[];
  readonly untilMs: number;
  readonly times: number[];
  failed: number;
}

const noBytes = Buffer.alloc(0);
const headEnd = "\r\n\r\n";

/** Connections to each port, kept from order to order. */
const pools = new Map<number, Socket[]>();

async function pool(port: number, size: number): Promise<readonly Socket[]> {
  const sockets = pools.get(port) ?? [];
  pools.set(port, sockets);
  while (sockets.length < size) {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    sockets.push(socket);
  }
  return sockets.slice(0, size);
}

async function drive(order: DriveOrder): Promise<Driven> {
  const { port, connections, ms, sessions } = order;
  const sockets = await pool(port, connections);
  const requests = Array.from({ length: sessions }, (_, i) =>
    requestTo(`${order.prefix}${i}${order.suffix}`),
  );
  const startedMs = performance.now();
  const slice: Slice = { requests, untilMs: startedMs + ms, times: [], failed: 0 };
  await Promise.all(sockets.map((socket, i) => callAgainAndAgain(socket, prng(order.seed + i), slice)));
  const times = Float64Array.from(slice.times).toSorted();
  return {
    calls: times.length,
    failed: slice.failed,
    ms: performance.now() - startedMs,
    p50Ms: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
  };
}

function requestTo(path: string): Buffer {
  const head = `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1`;
  return Buffer.from(`${head}${headEnd}1`);
}

function callAgainAndAgain(socket: Socket, random: ReturnType<typeof prng>, slice: Slice): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let received: Buffer = noBytes;
  let sentMs = 0;
  const call = (): void => {
    sentMs = performance.now();
    socket.write(random.pick(slice.requests));
  };
  const take = (chunk: Buffer): void => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const answer = answerIn(received);
    if (answer === undefined || received.length < answer.bytes) return;
    received = noBytes;
    const nowMs = performance.now();
    slice.times.push(nowMs - sentMs);
    if (answer.status !== "200") slice.failed += 1;
    if (nowMs < slice.untilMs) call();
    else resolve();
  };
  const broken = (): void => reject(new Error("a connection ended in the middle of a call"));
  socket.on("data", take);
  socket.on("close", broken);
  call();
  return promise.finally(() => socket.off("data", take).off("close", broken));
}

/** `undefined` until the head is complete. */
function answerIn(bytes: Buffer): Answer | undefined {
  const end = bytes.indexOf(headEnd);
  if (end < 0) return undefined;
  const head = bytes.toString("latin1", 0, end);
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? "0";
  return { status: head.slice(9, 12), bytes: end + headEnd.length + Number(length) };
}

process.on("message", (order: DriveOrder) => {
  drive(order).then(
    (driven) => process.send?.(driven),
    (error: unknown) => {
      throw error; // the parent sees the exit, and the reason on standard error
    },
  );
});
