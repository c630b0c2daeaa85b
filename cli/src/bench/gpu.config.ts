// The agents of `bench placement-speed`: one that takes so little of a GPU that thousands of its sessions fit
// on a few, and one that takes none.
import { agent, s } from "voda";
import { defineConfig } from "voda/config";

const model = agent(
  "model",
  { count: s.counter() },
  { idle: "1h", place: { gpu: 0.001, gpuMemoryMiB: 1 } },
).handlers({
  add: (ctx, by: number) => ctx.state.count.add(by),
});

const plain = agent("plain", { count: s.counter() }, { idle: "1h" }).handlers({
  add: (ctx, by: number) => ctx.state.count.add(by),
});

export default defineConfig({ agents: [model, plain] });
