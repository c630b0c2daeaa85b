// Agents that break their worker, and one whose next version is in `faults-next.config.ts`.
import { agent, s } from "voda";
import { defineConfig } from "voda/config";

const rogue = agent("rogue", { count: s.counter() }, { maxTurn: "400ms", idle: "1h" })
  .readonly({ get: (ctx) => ctx.state.count.value })
  .handlers({
    add: (ctx, by: number) => ctx.state.count.add(by),
    async addSlowly(ctx, ms: number) {
      ctx.state.count.add(1);
      await new Promise((resolve) => setTimeout(resolve, ms));
      return ctx.state.count.value;
    },
    spin(ctx) {
      ctx.state.count.add(1000);
      for (;;);
    },
  });

const versioned = agent("versioned", { count: s.counter() }, { idle: "1h" })
  .readonly({ version: () => 1, get: (ctx) => ctx.state.count.value })
  .handlers({
    add: (ctx, by: number) => ctx.state.count.add(by),
    async addSlowly(ctx, ms: number) {
      ctx.state.count.add(1);
      await new Promise((resolve) => setTimeout(resolve, ms));
      return ctx.state.count.value;
    },
  });

const large = agent("large", { count: s.counter() }, { idle: "1h", place: { cpuMilli: 600 } })
  .readonly({ get: (ctx) => ctx.state.count.value })
  .handlers({ add: (ctx, by: number) => ctx.state.count.add(by) });

export default defineConfig({ agents: [rogue, versioned, large] });
