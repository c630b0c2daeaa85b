// Agents that break their worker or tell that they run, and one whose next version is in
// `faults-next.config.ts`.
import { appendFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { agent, s } from "voda";
import { defineConfig } from "voda/config";
import { versionedAgent } from "./versioned.ts";

const rogue = agent("rogue", { count: s.counter() }, { maxTurn: "1s", idle: "1h" })
  .readonly({ get: (ctx) => ctx.state.count.value })
  .handlers({
    add: (ctx, by: number) => ctx.state.count.add(by),
    async addSlowly(ctx, ms: number) {
      appendFileSync(join(tmpdir(), `voda-runs-${process.pid}`), "runs\n");
      ctx.state.count.add(1);
      await new Promise((resolve) => setTimeout(resolve, ms));
      return ctx.state.count.value;
    },
    spin(ctx) {
      ctx.state.count.add(1000);
      for (;;);
    },
  });

const large = agent("large", { count: s.counter() }, { idle: "1h", place: { cpuMilli: 600 } })
  .readonly({ get: (ctx) => ctx.state.count.value })
  .handlers({ add: (ctx, by: number) => ctx.state.count.add(by) });

export default defineConfig({ agents: [rogue, versionedAgent(1), large] });
