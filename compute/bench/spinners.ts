// How much two cores give that share nothing: what a measurement of two threads can reach at most on this
// machine, now.
import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** How long each spins, in milliseconds. */
const spinMs = 200;

/** Turns of two spinning threads together over those of one alone. */
export async function spinnersSpeedup(): Promise<number> {
  const threads = [0, 1].map(() => new Worker(new URL("./spinner.ts", import.meta.url)));
  const spin = async (thread: Worker): Promise<number> => {
    thread.postMessage(spinMs);
    const [turns] = (await once(thread, "message")) as [number];
    return turns;
  };
  const [first, second] = threads;
  if (first === undefined || second === undefined) throw new RangeError("two threads were started");
  await Promise.all(threads.map(spin)); // compiled, and the cores awake
  const alone = await spin(first);
  const [a, b] = await Promise.all([spin(first), spin(second)]);
  await Promise.all(threads.map((thread) => thread.terminate()));
  return Math.round((100 * (a + b)) / alone) / 100;
}
