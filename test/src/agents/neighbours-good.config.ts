// An agent that does nothing wrong, on a thread of its own.
import { agent, s } from "voda";
import { defineConfig } from "voda/config";

const calm = agent("calm", { count: s.counter() }, { idle: "1h" })
  .readonly({ get: (ctx) => ctx.state.count.value })
  .handlers({
    add: (ctx, by: number) => ctx.state.count.add(by),
    async addSlowly(ctx, ms: number) {
      ctx.state.count.add(1);
      await new Promise((resolve) => setTimeout(resolve, ms));
      return ctx.state.count.value;
    },
  });

export default defineConfig({ agents: [calm] });
