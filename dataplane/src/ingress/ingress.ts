// The port of a node: everything that clients and Envoy send arrives here.
import { createPort, listen } from "@voda/net";
import { type Clock, LinkedList, wordsOf } from "@voda/stdx";
import type { Logger } from "pino";
import type { Submit } from "../call/index.ts";
import { createBorder } from "./border.ts";
import { Crowd } from "./crowd.ts";
import type { EdgeProof } from "./edge-proof.ts";
import { type Exchange, type Floor, sweepUnsent } from "./exchange.ts";
import { createHttp1 } from "./http1.ts";
import { createHttp2 } from "./http2.ts";
import { closeMsMax, connectionsMax, sweepMs } from "./limits.ts";
import type { Routes } from "./target.ts";

export interface IngressOptions {
  readonly host: string;
  /** 0 lets the system pick one. */
  readonly port: number;
  readonly routes: Routes;
  /** Numbers for calls. */
  readonly numbers: () => number;
  readonly edge: EdgeProof;
  readonly allowHosts: readonly string[];
  readonly allowOrigins: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  /** How long `close` waits for calls in flight, in milliseconds. Default 10 s. */
  readonly closeMs?: number;
  /** Where calls go, once the node serves: whoever connects before is answered after it. */
  readonly ready: Promise<Submit>;
}

/**
 * Once it is disposed of it accepts nothing more, waits for the calls in flight at most `closeMs`, then cuts
 * what is left.
 */
export interface Ingress extends AsyncDisposable {
  readonly port: number;
}

const tooEarly: Submit = () => {
  throw new Error("a call before the node serves");
};

/** @throws when the address cannot be listened on */
export async function openIngress(options: IngressOptions): Promise<Ingress> {
  const { routes, numbers, edge, clock, log, closeMs = closeMsMax } = options;
  const floor: Floor = {
    routes,
    submit: tooEarly,
    numbers,
    clock,
    border: createBorder(options),
    edge,
    open: new LinkedList<Exchange>(),
    unsent: new LinkedList<Exchange>(),
    bodyBytes: 0,
    unsentBytes: 0,
  };
  let isClosing = false;
  const crowd = new Crowd();
  const http1 = createHttp1(floor, crowd, () => isClosing);
  const http2 = createHttp2(floor, crowd, () => isClosing);
  const port = createPort({
    http1: http1.server,
    http2,
    ready: options.ready.then((submit) => void (floor.submit = submit)),
    onError: (error) => log.debug({ error: wordsOf(error) }, "connection failed"),
  });
  port.server.maxConnections = connectionsMax;
  const bound = await listen(port.server, options);
  const sweeper = setInterval(() => {
    const nowMs = clock.monotonicMs();
    for (const exchange of floor.open.values()) exchange.sweep(nowMs);
    sweepUnsent(floor);
  }, sweepMs);

  async function close(): Promise<void> {
    isClosing = true;
    const closed = port.close();
    http1.closeIdle();
    const cut = setTimeout(() => {
      log.warn(
        { calls: floor.open.size, connections: port.sockets.size },
        "cutting what did not end before closing",
      );
      for (const socket of port.sockets) socket.destroy();
    }, closeMs);
    await closed;
    clearTimeout(cut);
    clearInterval(sweeper);
  }

  return { port: bound.port, [Symbol.asyncDispose]: close };
}
