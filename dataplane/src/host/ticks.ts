// One timer for things that are due at many times: they wait in a set per tick.

/** `nowMs` is monotonic; `tickMs` is how exact the times are. */
export interface TicksOptions<T> {
  readonly nowMs: () => number;
  readonly tickMs: number;
  /** Told of each thing once, never before its time and at most two ticks after it. */
  readonly onDue: (thing: T) => void;
}

/** Disposal forgets what waits. */
export interface Ticks<T> extends Disposable {
  /** Returns how to take it out again. */
  add(atMs: number, thing: T): () => void;
}

/** Adding and taking out cost the same however many things wait: most deadlines never come. */
export function createTicks<T>({ nowMs, tickMs, onDue }: TicksOptions<T>): Ticks<T> {
  const waiting = new Map<number, Set<T>>();
  let swept = Math.floor(nowMs() / tickMs);

  const sweep = (): void => {
    const now = Math.floor(nowMs() / tickMs);
    // After a pause or a step of the clock the gap may be huge: then look at what there is instead of at
    // every tick.
    const due =
      now - swept > waiting.size
        ? [...waiting.keys()].filter((tick) => tick < now).sort((a, b) => a - b)
        : range(swept, now);
    swept = now;
    for (const tick of due) {
      const things = waiting.get(tick) ?? [];
      waiting.delete(tick);
      for (const thing of things) onDue(thing);
    }
  };
  const timer = setInterval(sweep, tickMs);

  return {
    add(atMs, thing) {
      const tick = Math.max(swept, Math.floor(atMs / tickMs));
      const things = waiting.get(tick) ?? new Set();
      things.add(thing);
      waiting.set(tick, things);
      return () => {
        if (things.delete(thing) && things.size === 0) waiting.delete(tick);
      };
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      waiting.clear();
    },
  };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}
