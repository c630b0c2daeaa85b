// What the system says of a thread: whether it had a processor. A machine that is busy keeps a thread from
// its beats as an endless loop does, and nobody is to blame for that.
import { readFileSync, readlinkSync } from "node:fs";

/** A thread at one moment. */
export interface ThreadTime {
  /** Time on a processor since its start. */
  readonly ranMs: number;
  /** It could go on, and waits for a processor or for memory that is on disk; or it runs at this moment. */
  readonly isRunnable: boolean;
}

/** The number of the calling thread by which `threadTime` finds it; 0 where the system does not tell. */
export function ownThread(): number {
  try {
    return Number(readlinkSync("/proc/thread-self").split("/").at(-1));
  } catch {
    return 0; // no Linux
  }
}

/** `undefined` where the system does not tell. */
export function threadTime(thread: number): ThreadTime | undefined {
  if (thread === 0) return undefined;
  try {
    const folder = `/proc/self/task/${thread}`;
    const ranNs = Number(readFileSync(`${folder}/schedstat`, "utf8").split(" ")[0]);
    // The name before the state is in brackets, and may have some of its own.
    const state = /\) (\w) [^)]*$/.exec(readFileSync(`${folder}/stat`, "utf8"))?.[1] ?? "";
    return { ranMs: ranNs / 1e6, isRunnable: state === "R" || state === "D" };
  } catch {
    return undefined; // it has just ended
  }
}

/**
 * In time without a beat between two looks that are due every `ms`, how many looks long the thread held it:
 * one while it stands in a call that waits, and as long as it ran while it is runnable, however late the look
 * came. Where the system does not tell, one.
 */
export function heldShare(before: ThreadTime | undefined, now: ThreadTime | undefined, ms: number): number {
  if (before === undefined || now === undefined || !now.isRunnable) return 1;
  return Math.max(0, now.ranMs - before.ranMs) / ms;
}
