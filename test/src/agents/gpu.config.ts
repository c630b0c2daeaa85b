// Agents that take GPUs: no example should need one.
import { existsSync, writeFileSync } from "node:fs";
import { agent, s } from "voda";
import { defineConfig } from "voda/config";

const model = agent("model", { count: s.counter() }, { idle: "1h", place: { gpu: 0.5, gpuMemoryMiB: 1000 } })
  .readonly({ get: (ctx) => ctx.state.count.value })
  .handlers({ add: (ctx, by: number) => ctx.state.count.add(by) });

const solo = agent(
  "solo",
  { count: s.counter() },
  { idle: "1h", maxTurn: "30s", place: { gpu: 1 } },
).handlers({
  add: (ctx, by: number) => ctx.state.count.add(by),
  /** When there is a file of this path; says that it has begun with another one. */
  async addOnce(ctx, path: string) {
    writeFileSync(`${path}.begun`, "");
    while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 20));
    return ctx.state.count.add(1);
  },
});

export default defineConfig({ agents: [model, solo] });
