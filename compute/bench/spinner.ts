// Counts for as many milliseconds as it is told, and tells how far it came.
import { parentPort } from "node:worker_threads";

parentPort?.on("message", (ms: number) => {
  const end = performance.now() + ms;
  let turns = 0;
  while (performance.now() < end) turns += 1;
  parentPort?.postMessage(turns);
});
