// Agents that tests need and no example should have: they throw, wait, hang, hold the thread.
import { agent, s, VodaError } from "voda";
import { defineConfig } from "voda/config";

const pages = agent("pages", { notes: s.map<string>(), lines: s.log<string>() })
  .readonly({
    tail: ({ state: { lines } }) => [
      lines.length,
      lines.at(0)?.length,
      lines.last(2).map((text) => text.slice(0, 8)),
    ],
    size: (ctx) => ctx.state.notes.size,
    read: (ctx, key: string) => ctx.state.notes.get(key) ?? null,
  })
  .handlers({
    write(ctx, note: { key: string; text: string }) {
      ctx.state.notes.set(note.key, note.text);
      return ctx.state.notes.size;
    },
    fill(ctx, { from, count, bytes }: { from: number; count: number; bytes: number }) {
      for (let i = from; i < from + count; i += 1) {
        ctx.state.notes.set(`k${i}`, "x".repeat(bytes));
        ctx.state.lines.append(`line ${i}`.padEnd(bytes / 4));
      }
      return ctx.state.notes.size;
    },
  });

const probe = agent(
  "probe",
  { count: s.counter(), name: s.register("none") },
  { idle: "1h", maxTurn: "1s", maxQueue: 4 },
)
  .readonly({
    get: (ctx) => ({ count: ctx.state.count.value, name: ctx.state.name }),
    sneak(ctx) {
      (ctx.state as { name: string }).name = "written by a reader";
      return null;
    },
  })
  .handlers({
    add: (ctx, by: number) => ctx.state.count.add(by),
    refuse(ctx) {
      ctx.state.count.add(1000);
      throw new VodaError("failed_precondition", "not today", { details: { day: "friday" } });
    },
    crash(ctx) {
      ctx.state.count.add(1000);
      ctx.state.name = "crashed";
      throw new Error("secret detail");
    },
    async hang(ctx) {
      ctx.state.count.add(1000);
      await new Promise(() => undefined);
      return null;
    },
    async addSlowly(ctx, ms: number) {
      ctx.state.count.add(1);
      await new Promise((resolve) => setTimeout(resolve, ms));
      return ctx.state.count.value;
    },
    huge: () => "x".repeat(2 * 1024 * 1024),
  });

const everyKind = {
  count: s.counter(),
  title: s.register("none"),
  items: s.map<number>(),
  notes: s.text(),
  done: s.flag(),
  past: s.log<string>(),
  tags: s.set<string | number>(),
  steps: s.list<string>(),
};
const sleeper = agent("sleeper", everyKind, { idle: "300ms" })
  .readonly({ get: (ctx) => ctx.state.count.value, all: (ctx) => ctx.state })
  .handlers({
    add: (ctx, by: number) => ctx.state.count.add(by),
    fill(ctx) {
      ctx.state.title = "old";
      ctx.state.items.set("a", 1);
      ctx.state.notes.append("hello");
      ctx.state.done.enable();
      ctx.state.past.append("filled");
      for (const step of ["b", "c", "a"]) ctx.state.steps.append(step);
      ctx.state.steps.move(2, 0);
      for (const tag of ["b", 2, "a", 1]) ctx.state.tags.add(tag);
      return { ...ctx.state };
    },
  });

export default defineConfig({ agents: [pages, probe, sleeper] });
