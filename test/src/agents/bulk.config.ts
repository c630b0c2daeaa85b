// An agent that holds as much as it is told to.
import { agent, s } from "voda";
import { defineConfig } from "voda/config";

const bulk = agent("bulk", { count: s.counter(), items: s.map<string>() }, { idle: "1h" })
  .readonly({
    get: (ctx) => ctx.state.count.value,
    length: (ctx, key: string) => ctx.state.items.get(key)?.length ?? 0,
  })
  .handlers({
    add: (ctx, by: number) => ctx.state.count.add(by),
    put(ctx, { key, bytes }: { key: string; bytes: number }) {
      ctx.state.items.set(key, "x".repeat(bytes));
      return ctx.state.count.add(1);
    },
    remove(ctx, key: string) {
      ctx.state.items.delete(key);
      return ctx.state.count.add(1);
    },
  });

export default defineConfig({ agents: [bulk] });
