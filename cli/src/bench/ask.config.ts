// The agents of `bench ask`: one session asks another, and times it where the handler waits.
import { agent, s } from "voda";
import { defineConfig } from "voda/config";

const target = agent("target", { sum: s.counter() }, { idle: "1h", maxQueue: 1024 })
  .readonly({ sum: (ctx) => ctx.state.sum.value })
  .handlers({ add: (ctx, by: number) => ctx.state.sum.add(by) });

/** `atOnce` asks wait for their answers at any time, for `ms`. */
interface Order {
  readonly to: string;
  readonly ms: number;
  readonly atOnce: number;
}

async function timed(ask: () => Promise<number>, { ms, atOnce }: Order) {
  const us: number[] = [];
  const startedMs = performance.now();
  const untilMs = startedMs + ms;
  const again = async () => {
    let sentMs = performance.now();
    while (sentMs < untilMs) {
      await ask();
      const nowMs = performance.now();
      us.push((nowMs - sentMs) * 1000);
      sentMs = nowMs;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, again));
  const sorted = us.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  return { asks: us.length, ms: performance.now() - startedMs, p50Us: at(0.5), p99Us: at(0.99) };
}

const asker = agent("asker", {}, { idle: "1h" })
  .readonly({
    reads(ctx, order: Order) {
      const asks = ctx.ask(target, order.to);
      return timed(() => asks.sum(), order);
    },
  })
  .handlers({
    adds(ctx, order: Order) {
      const asks = ctx.ask(target, order.to);
      return timed(() => asks.add(1), order);
    },
  });

export default defineConfig({ agents: [target, asker] });
