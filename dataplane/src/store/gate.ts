// Work of which the server does so much at once, and no more: the rest waits here, in its order. What waits
// there holds up everything else, and is thrown away when it is answered too late.
import { BoundedQueue } from "@voda/stdx";
import { StoreError } from "../nats/index.ts";

/** Begins a work when there is room. @throws StoreError when too many wait, and what the work throws */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

export interface GateBounds {
  readonly insideMax: number;
  readonly waitingMax: number;
}

export function openGate({ insideMax, waitingMax }: GateBounds): Gate {
  const waiting = new BoundedQueue<() => void>(waitingMax);
  let inside = 0;
  const acquire = async (): Promise<void> => {
    if (inside < insideMax) {
      inside += 1;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    if (!waiting.push(resolve)) throw new StoreError(`requestsMax ${waitingMax} requests wait already`);
    await promise;
  };
  const release = (): void => {
    const next = waiting.shift();
    if (next === undefined) inside -= 1;
    else next(); // its place is the one that is left
  };
  return async (work) => {
    await acquire();
    try {
      return await work();
    } finally {
      release();
    }
  };
}
