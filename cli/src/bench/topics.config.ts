// The agents of `bench topics`: a topic and those who hear it, each of which counts what it hears.
import { agent, s, topic } from "voda";
import { defineConfig } from "voda/config";

const news = topic<"news", number>("news");

const hearer = agent("hearer", { heard: s.map<number>(), lastMs: s.register(0) }, { idle: "1h" })
  .on(news, (ctx, message) => {
    ctx.state.heard.update(String(message), (before = 0) => before + 1);
    ctx.state.lastMs = ctx.now();
  })
  .readonly({ heard: (ctx) => ({ heard: ctx.state.heard.toJSON(), lastMs: ctx.state.lastMs }) })
  .handlers({
    follow: (ctx) => ctx.send(news, "all").subscribe(),
    /** The control: the same work, called by a client. */
    note(ctx, message: number) {
      ctx.state.heard.update(String(message), (before = 0) => before + 1);
      ctx.state.lastMs = ctx.now();
    },
  });

export default defineConfig({ agents: [news, hearer] });
