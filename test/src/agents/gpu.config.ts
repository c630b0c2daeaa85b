// An agent that takes half of a GPU: no example should need one.
import { agent, s } from "voda";
import { defineConfig } from "voda/config";

const model = agent("model", { count: s.counter() }, { idle: "1h", place: { gpu: 0.5, gpuMemoryMiB: 1000 } })
  .readonly({ get: (ctx) => ctx.state.count.value })
  .handlers({ add: (ctx, by: number) => ctx.state.count.add(by) });

export default defineConfig({ agents: [model] });
