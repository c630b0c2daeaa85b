import { agent, s } from "voda";

export const counter = agent("counter", { count: s.counter() })
  .readonly({ get: (ctx) => ctx.state.count.value })
  .handlers({ add: (ctx, by: number) => ctx.state.count.add(by) });
