// The next version of one agent of `faults.config.ts`; the others stay as they are.
import { agent, s } from "voda";
import { defineConfig } from "voda/config";

const versioned = agent("versioned", { count: s.counter() }, { idle: "1h" })
  .readonly({ version: () => 2, get: (ctx) => ctx.state.count.value })
  .handlers({
    add: (ctx, by: number) => ctx.state.count.add(by),
    async addSlowly(ctx, ms: number) {
      ctx.state.count.add(1);
      await new Promise((resolve) => setTimeout(resolve, ms));
      return ctx.state.count.value;
    },
  });

export default defineConfig({ agents: [versioned] });
