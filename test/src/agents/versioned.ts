import { agent, s } from "voda";

/** An agent whose bundle is deployed again while it is called: it says of which version it is. */
export const versionedAgent = (version: number) =>
  agent("versioned", { count: s.counter() }, { idle: "1h" })
    .readonly({ version: () => version, get: (ctx) => ctx.state.count.value })
    .handlers({
      add: (ctx, by: number) => ctx.state.count.add(by),
      async addSlowly(ctx, ms: number) {
        ctx.state.count.add(1);
        await new Promise((resolve) => setTimeout(resolve, ms));
        return ctx.state.count.value;
      },
    });
