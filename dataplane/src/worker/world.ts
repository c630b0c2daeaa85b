// What an activation takes of time and of chance: its thread's own, or what a test makes of them. Not the
// globals: an agent that puts fake timers in their place must not take away the bound of its turns.
import { randomBytes, randomUUID } from "node:crypto";
import * as timers from "node:timers";
import { systemClock } from "@voda/stdx";
import { type GatherFunction, gatherFunction } from "voda/definition";

/** The parts for handlers can be taken out of it. */
export interface ThreadWorld {
  readonly monotonicMs: () => number;
  /** Calls `act` once, later; returns how to take that back. */
  readonly after: (ms: number, act: () => void) => () => void;
  /** For handlers: milliseconds since 1970. */
  readonly now: () => number;
  /** For handlers: 0 up to, but not including, 1. */
  readonly random: () => number;
  /** For handlers. */
  readonly uuid: () => string;
  /** So many bytes of chance. */
  readonly bytes: (count: number) => Uint8Array;
  /** For handlers: its timeouts are by `after`. */
  readonly gather: GatherFunction;
}

function after(ms: number, act: () => void): () => void {
  const timer = timers.setTimeout(act, ms);
  return () => timers.clearTimeout(timer);
}

/** Of this thread. */
export const threadWorld: ThreadWorld = {
  monotonicMs: () => systemClock.monotonicMs(),
  after,
  // whole ones, as journals have them, whatever an agent has put in its place
  now: () => Math.floor(Date.now()),
  random: () => Math.random(),
  uuid: () => randomUUID(),
  bytes: (count) => randomBytes(count),
  gather: gatherFunction(after),
};
