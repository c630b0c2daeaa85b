// The control of `voda bench ask`: what Node itself takes to have a text answered by another thread.
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { quantile } from "@voda/stdx/bench";

/** As many texts as `atOnce` are on their way at any time, for `ms`. */
export interface EchoOrder {
  readonly ms: number;
  readonly atOnce: number;
}

/** What came of an order; the handlers of `ask.config.ts` say the same of theirs. */
export interface Timed {
  readonly asks: number;
  readonly ms: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

function serve(): void {
  const thread = new Worker(new URL(import.meta.url));
  process.on("message", (order: EchoOrder) => {
    drive(thread, order).then(
      (timed) => process.send?.(timed),
      (error: unknown) => {
        throw error; // the parent sees the exit, and the reason on standard error
      },
    );
  });
  process.on("disconnect", () => process.exit());
}

async function drive(thread: Worker, { ms, atOnce }: EchoOrder): Promise<Timed> {
  const us: number[] = [];
  const startedMs = performance.now();
  const sentMs: number[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  let waiting = 0;
  const send = (): void => {
    sentMs.push(performance.now());
    waiting += 1;
    thread.postMessage("1");
  };
  const take = (): void => {
    const nowMs = performance.now();
    us.push((nowMs - (sentMs.shift() ?? nowMs)) * 1000);
    waiting -= 1;
    if (nowMs - startedMs < ms) send();
    else if (waiting === 0) resolve();
  };
  thread.on("message", take);
  for (let i = 0; i < atOnce; i += 1) send();
  await promise;
  thread.off("message", take);
  const tookMs = performance.now() - startedMs;
  const sorted = Float64Array.from(us).toSorted();
  return { asks: us.length, ms: tookMs, p50Us: quantile(sorted, 0.5), p99Us: quantile(sorted, 0.99) };
}

if (isMainThread) serve();
else parentPort?.on("message", (text: string) => parentPort?.postMessage(text));
