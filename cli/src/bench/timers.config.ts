// The agents of `bench timers`: each session sets timers that call another one, which notes how late they
// are.
import { agent, s } from "voda";
import { defineConfig } from "voda/config";

const alarm = agent("alarm", { rings: s.map<number>(), lateMs: s.map<number>() }, { idle: "1h" })
  .readonly({
    rung: (ctx) => ({ rings: ctx.state.rings.toJSON(), lateMs: ctx.state.lateMs.toJSON() }),
  })
  .handlers({
    ring(ctx, dueMs: number) {
      const name = String(dueMs);
      ctx.state.rings.update(name, (before = 0) => before + 1);
      ctx.state.lateMs.set(name, ctx.now() - dueMs);
    },
  });

const clock = agent("clock", {}, { idle: "1h" }).handlers({
  set(ctx, dueMs: readonly number[]) {
    for (const ms of dueMs) ctx.schedule(alarm, ctx.key, { at: new Date(ms) }).ring(ms);
  },
});

export default defineConfig({ agents: [alarm, clock] });
