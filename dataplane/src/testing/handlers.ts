// Which handlers run in one life of a node, and which of them wait for the mesh alone.

export interface Handlers {
  /** As the worker marks them; the mark of a call is its number. */
  begin(call: number): number;
  synchronous(call: number): void;
  end(mark: number): void;
  /** The handler of `call` waits for an answer of the mesh, which has that name. */
  waits(name: string, call: number): void;
  answered(name: string): void;
  /** Whether there is one that may wait for something outside, which nobody sees. */
  readonly areBusy: boolean;
}

export function createHandlers(): Handlers {
  const running = new Set<number>();
  /** Calls, by what they wait for. */
  const waiting = new Map<string, number>();
  return {
    begin(call) {
      running.add(call);
      return call;
    },
    synchronous: () => undefined,
    end(mark) {
      running.delete(mark);
      for (const [ask, call] of waiting) if (call === mark) waiting.delete(ask);
    },
    waits: (name, call) => void waiting.set(name, call),
    answered: (name) => void waiting.delete(name),
    get areBusy() {
      const patient = new Set(waiting.values());
      return [...running].some((call) => !patient.has(call));
    },
  };
}
