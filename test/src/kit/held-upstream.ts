// An upstream whose answers a test holds back, so that something dies while it is asked.
import { startUpstream, type Upstream } from "@voda/cli/harness";
import { waitUntil } from "./wait.ts";

/** One for a file of tests, which closes it. */
export interface HeldUpstream {
  readonly upstream: Upstream;
  /** From now on answers to the path wait, until what it returns is called. */
  readonly hold: (path: string) => () => void;
  /** Those to the path that come from now on are answered; those that wait still do. */
  readonly letThrough: (path: string) => void;
  /** How often each effect of the order at that path was asked for. */
  readonly timesOf: (order: string, path: string) => number[];
  /** Until the first effect was asked for so often; once by default. */
  readonly asked: (order: string, path: string, times?: number) => Promise<void>;
}

/** With nothing held. */
export async function startHeldUpstream(): Promise<HeldUpstream> {
  const held = new Map<string, Promise<void>>();
  const upstream = await startUpstream(async ({ path }) => held.get(path));
  const timesOf = (order: string, path: string): number[] =>
    upstream.of(order, path).map(({ asked }) => asked.length);
  return {
    upstream,
    hold(path) {
      const { promise, resolve } = Promise.withResolvers<void>();
      held.set(path, promise);
      return () => {
        held.delete(path);
        resolve();
      };
    },
    letThrough: (path) => void held.delete(path),
    timesOf,
    asked: async (order, path, times = 1) => {
      await waitUntil(() => timesOf(order, path)[0] === times, `${path} of ${order} is asked ${times} times`);
    },
  };
}
