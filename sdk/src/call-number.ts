// How the mesh tells the attempts of one call from another call (PROTOCOL.md 10.3, after RIFL): each client
// numbers its calls of a session and says which is the lowest without an answer, so that the session keeps
// answers for the numbers from there only. With a random key per call it would have to keep every answer
// until its window ends.
import { isCallNumber, headers as names } from "@voda/proto/wire";

/**
 * Sessions without a call under way whose numbers are remembered; a forgotten one starts anew under another
 * client id.
 */
export const idleSessionsMax = 4_096;

/** The id of one call: the same for all its attempts. */
export interface CallId {
  /** Name and value of its header as of now: the lowest number rises between attempts. */
  readonly header: () => readonly [name: string, value: string];
  /** The caller has its answer, or does not wait for it any more. */
  readonly done: () => void;
}

interface Numbers {
  /**
   * 128 random bits in hex. Of these numbers only: were they shared, a forgotten session would give numbers
   * out again.
   */
  readonly client: string;
  next: number;
  /** Those without an answer, in the order in which they were given: the first is the lowest. */
  readonly open: Set<number>;
  /** Calls that wait for the lowest to rise: first come, first served. */
  readonly waiting: Set<(seq: number) => void>;
}

/** The numbers of one client. */
export interface CallNumbers {
  /**
   * The next number of the session, once it is within `callNumbersMax`; `undefined` when the signal fires
   * before.
   */
  readonly take: (session: string, signal: AbortSignal) => Promise<CallId | undefined>;
}

/** No number is given out yet. */
export function callNumbers(): CallNumbers {
  const sessions = new Map<string, Numbers>();
  const idle = new Set<string>();

  const numbersOf = (session: string): Numbers => {
    idle.delete(session);
    const known = sessions.get(session);
    if (known !== undefined) return known;
    const numbers = { client: randomHex(), next: 1, open: new Set<number>(), waiting: new Set<() => void>() };
    sessions.set(session, numbers);
    return numbers;
  };
  const done = (session: string, numbers: Numbers, seq: number): void => {
    if (!numbers.open.delete(seq)) return;
    for (const give of numbers.waiting) {
      if (!hasRoom(numbers)) break;
      numbers.waiting.delete(give);
      give(nextOf(numbers));
    }
    if (numbers.open.size > 0) return;
    idle.add(session);
    if (idle.size > idleSessionsMax) forgetOldest();
  };
  const forgetOldest = (): void => {
    for (const oldest of idle) {
      idle.delete(oldest);
      sessions.delete(oldest);
      return;
    }
  };

  return {
    take: async (session, signal) => {
      const numbers = numbersOf(session);
      const seq = hasRoom(numbers) ? nextOf(numbers) : await wait(numbers, signal);
      if (seq === undefined) return undefined;
      return {
        header: () => [names.call, `${numbers.client}.${seq}.${lowest(numbers)}`],
        done: () => done(session, numbers, seq),
      };
    },
  };
}

/** The id of a call that does not take part in the numbering. */
export function keyId(key: string): CallId {
  return { header: () => [names.idempotencyKey, key], done: () => undefined };
}

/** 128 random bits. `crypto.randomUUID` is missing in pages that came over plain HTTP. */
export function randomHex(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function lowest({ open, next }: Numbers): number {
  for (const seq of open) return seq;
  return next;
}

function hasRoom(numbers: Numbers): boolean {
  return isCallNumber(numbers.next, lowest(numbers));
}

function nextOf(numbers: Numbers): number {
  const seq = numbers.next;
  numbers.next += 1;
  numbers.open.add(seq);
  return seq;
}

function wait(numbers: Numbers, signal: AbortSignal): Promise<number | undefined> {
  return new Promise((resolve) => {
    const give = (seq: number): void => {
      signal.removeEventListener("abort", leave);
      resolve(seq);
    };
    const leave = (): void => {
      numbers.waiting.delete(give);
      resolve(undefined);
    };
    if (signal.aborted) return resolve(undefined);
    numbers.waiting.add(give);
    signal.addEventListener("abort", leave, { once: true });
  });
}
