// Agents that have something done later.
import { agent, type ScheduleTime, s } from "voda";
import { defineConfig } from "voda/config";

interface Plan {
  readonly when:
    | { readonly in: number }
    | { readonly every: number }
    | { readonly cron: string }
    | { readonly atMs: number };
  readonly ids: readonly string[];
  readonly to: string;
}

const timeOf = ({ when }: Plan): ScheduleTime => ("atMs" in when ? { at: new Date(when.atMs) } : when);

const planner = agent("planner", { planned: s.counter() }, { idle: "1h" })
  .readonly({ planned: (ctx) => ctx.state.planned.value })
  .handlers({
    plan(ctx, plan: Plan) {
      ctx.state.planned.add(plan.ids.length);
      for (const id of plan.ids) ctx.schedule(alarm, plan.to, { ...timeOf(plan), id }).ring(id);
    },
    later: (ctx, { delay, to }: { delay: number; to: string }) =>
      ctx.send(alarm, to, { delay }).ring(ctx.key),
    planAndFail(ctx, plan: Plan) {
      for (const id of plan.ids) ctx.schedule(alarm, plan.to, { ...timeOf(plan), id }).ring(id);
      throw new Error("not today");
    },
    cancel: (ctx, id: string) => ctx.cancel(id),
    toNobody(ctx) {
      ctx.state.planned.add(1);
      ctx.schedule(nobody, "k", { in: 0 }).ring("x");
    },
  });

const nobody = agent("nobody").handlers({ ring: (_ctx, what: string) => what });

const alarm = agent("alarm", { rings: s.map<number>(), lastMs: s.map<number>() }, { idle: "1h" })
  .readonly({ rings: (ctx) => ctx.state.rings.toJSON(), lastMs: (ctx) => ctx.state.lastMs.toJSON() })
  .handlers({
    ring(ctx, what: string) {
      ctx.state.rings.update(what, (before = 0) => before + 1);
      ctx.state.lastMs.set(what, ctx.now());
    },
  });

export default defineConfig({ agents: [planner, alarm] });
