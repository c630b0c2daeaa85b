// The agents of `bench send`: a session that sends to another, which counts what it takes.
import { agent, s } from "voda";
import { defineConfig } from "voda/config";

/** By all sessions of this thread: whoever waits asks one of them. A turn that is undone counts too. */
let taken = 0;

const sink = agent("sink", { sum: s.counter() }, { idle: "1h" })
  .readonly({ sum: (ctx) => ctx.state.sum.value, taken: () => taken })
  .handlers({
    take(ctx) {
      taken += 1;
      ctx.state.sum.add(1);
    },
  });

const sender = agent("sender", {}, { idle: "1h" }).handlers({
  send(ctx, { to, count }: { readonly to: string; readonly count: number }) {
    for (let i = 0; i < count; i += 1) ctx.send(sink, to).take();
  },
});

export default defineConfig({ agents: [sink, sender] });
