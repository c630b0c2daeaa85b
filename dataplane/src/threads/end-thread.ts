import type { Worker } from "node:worker_threads";

/** How long a thread that was told to end has for it before it is told again. */
const againMs = 100;

/**
 * Tells a thread to end until it has. Once is not enough: a loop of awaits that reject with one and the same
 * error goes on after about every third `terminate` (Node 26.10).
 */
export async function endThread(thread: Worker): Promise<void> {
  const again = setInterval(() => tellAgain(thread), againMs);
  try {
    await thread.terminate();
  } finally {
    clearInterval(again);
  }
}

/** Each `terminate` waits by a listener of its own: one that stands in a call of Node's would gather them. */
function tellAgain(thread: Worker): void {
  void thread.terminate();
  const added = thread.listeners("exit").at(-1);
  if (added !== undefined) thread.off("exit", added as () => void);
}
