// Name records of sessions, by which lists find them: one is written when its session is born, and again
// until the store has it.
import type { SessionName, SessionToken } from "@voda/proto/session";
import type { Store } from "./store.ts";

export interface Names extends Disposable {
  /** Not awaited. `isBorn`: one that is there is of an earlier life. */
  write(token: SessionToken, name: SessionName, isBorn: boolean): void;
  /** The session has ended: from here on its name is not written. */
  forget(token: SessionToken): void;
}

export interface NamesOptions {
  readonly store: Pick<Store, "publishName">;
  /** `isLast`: it is not tried again. */
  readonly failed: (error: unknown, name: SessionName, isLast: boolean) => void;
}

/** Between two attempts, while the store takes none. */
export const nameRetryMs = 1_000;
/** That wait for their next attempt: in a store that is full, sessions may be born for hours. */
export const namesWaitingMax = 10_000;

interface Wanted {
  readonly name: SessionName;
  readonly isBorn: boolean;
}

export function openNames({ store, failed }: NamesOptions): Names {
  /** Those that the store may not have. */
  const wanted = new Map<SessionToken, Wanted>();
  const waiting = new Set<SessionToken>();
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  function plan(): void {
    if (isClosed || waiting.size === 0) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      void retry().finally(plan);
    }, nameRetryMs);
  }

  /** One after the other: the first that fails ends it, the store is away. */
  async function retry(): Promise<void> {
    for (const token of waiting) {
      const one = wanted.get(token);
      try {
        if (one !== undefined) await store.publishName(token, one.name, one.isBorn);
      } catch {
        return;
      }
      waiting.delete(token);
      if (wanted.get(token) === one) wanted.delete(token);
    }
  }

  function wait(token: SessionToken, one: Wanted, error: unknown): void {
    if (wanted.get(token) !== one) return;
    const isLast = waiting.size >= namesWaitingMax;
    failed(error, one.name, isLast);
    if (isLast) wanted.delete(token);
    else waiting.add(token);
    plan();
  }

  return {
    write(token, name, isBorn) {
      const one = { name, isBorn };
      wanted.set(token, one);
      store.publishName(token, name, isBorn).then(
        () => wanted.get(token) === one && wanted.delete(token),
        (error: unknown) => wait(token, one, error),
      );
    },
    forget(token) {
      wanted.delete(token);
      waiting.delete(token);
    },
    [Symbol.dispose]() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
