// A process on a machine: it is up or not, can be stopped and go on, and its clocks drift.
import type { Clockwork } from "./clockwork.ts";

/** Things that happen in the order in which they were sent, whatever their delays. */
export type Channel = (() => void)[];

export interface SimProcess {
  /** Counts the starts. */
  readonly generation: number;
  readonly isUp: boolean;
  readonly isPaused: boolean;
  readonly monotonicMs: number;
  readonly wallMs: number;
  start(): void;
  crash(): void;
  pause(): void;
  resume(): void;
  /** Does `act` in this life of the process; while it is stopped, what is due waits. */
  deliver(delayMs: number, act: () => void, channel?: Channel): void;
  /** Real time until the monotonic clock shows `atMs`. */
  delayUntil(atMs: number): number;
}

/** Clocks differ by at most a tenth between any two, and wall clocks by at most 200 ms. */
export function createProcess(clockwork: Clockwork): SimProcess {
  const { random } = clockwork;
  const rate = 0.95 + random.next() / 10;
  const offsetMs = random.below(100_000);
  const skewMs = 1_000_000_000 + random.below(200);
  let generation = 0;
  let isUp = false;
  let isPaused = false;
  let backlog: (() => void)[] = [];
  const localMs = (): number => offsetMs + clockwork.nowMs * rate;

  function deliver(delayMs: number, act: () => void, channel?: Channel): void {
    const bornIn = generation;
    channel?.push(act);
    const due = (): void => {
      if (bornIn !== generation || !isUp) return;
      if (isPaused) backlog.push(due);
      else if (channel === undefined) act();
      else channel.shift()?.();
    };
    clockwork.after(delayMs, due);
  }

  return {
    get generation() {
      return generation;
    },
    get isUp() {
      return isUp;
    },
    get isPaused() {
      return isPaused;
    },
    get monotonicMs() {
      return localMs();
    },
    get wallMs() {
      return skewMs + clockwork.nowMs;
    },
    start() {
      generation += 1;
      isUp = true;
    },
    crash() {
      generation += 1;
      isUp = false;
      isPaused = false;
      backlog = [];
    },
    pause() {
      isPaused = true;
    },
    resume() {
      isPaused = false;
      const waiting = backlog;
      backlog = [];
      for (const due of waiting) clockwork.after(random.below(4), due);
    },
    deliver,
    delayUntil: (atMs) => Math.max(0, (atMs - localMs()) / rate),
  };
}
