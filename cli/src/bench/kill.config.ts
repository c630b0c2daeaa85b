// The agents of `bench kill`: sessions whose books say how often each order took effect.
import { agent, s } from "voda";
import { defineConfig } from "voda/config";

interface Order {
  readonly id: string;
  /** The session that hears of it by a message or a timer. */
  readonly to: string;
  readonly inMs: number;
  /** Of the server where a step is done. */
  readonly url: string;
}

async function pay(url: string, idempotencyKey: string, order: string): Promise<string> {
  const response = await fetch(`${url}/pay`, {
    method: "POST",
    headers: { "idempotency-key": idempotencyKey },
    body: JSON.stringify({ order }),
  });
  return ((await response.json()) as { readonly key: string }).key;
}

const once = (before = 0): number => before + 1;

const account = agent(
  "account",
  { done: s.map<number>(), taken: s.map<number>(), rung: s.map<number>(), paid: s.map<string>() },
  { idle: "5s" }, // some sleep now and then, and are woken by messages and timers too
)
  .readonly({
    books: ({ state: { done, taken, rung, paid } }) => ({
      done: done.toJSON(),
      taken: taken.toJSON(),
      rung: rung.toJSON(),
      paid: paid.toJSON(),
    }),
  })
  .handlers({
    call(ctx, { id }: Order) {
      ctx.state.done.update(id, once);
    },
    send(ctx, { id, to }: Order) {
      ctx.state.done.update(id, once);
      ctx.send(accounts(), to).take(id);
    },
    schedule(ctx, { id, to, inMs }: Order) {
      ctx.state.done.update(id, once);
      ctx.schedule(accounts(), to, { in: `${inMs}ms` }).ring(id);
    },
    async run(ctx, { id, url }: Order) {
      const key = await ctx.run("pay", ({ idempotencyKey }) => pay(url, idempotencyKey, id));
      ctx.state.done.update(id, once);
      ctx.state.paid.set(id, key);
    },
  })
  .handler("take", { access: "internal" }, (ctx, id: string) => {
    ctx.state.taken.update(id, once);
  })
  .handler("ring", { access: "internal" }, (ctx, id: string) => {
    ctx.state.rung.update(id, once);
  });
const accounts = () => account;

/** Sessions of it sleep until they are called. */
const sleeper = agent("sleeper", { done: s.map<number>() }, { idle: "500ms" })
  .readonly({ books: ({ state }) => ({ done: state.done.toJSON(), taken: {}, rung: {}, paid: {} }) })
  .handlers({
    call(ctx, { id }: Order) {
      ctx.state.done.update(id, once);
    },
  });

/** In the bundle of `account`, so on its thread: the node ends the thread that it holds. */
const spinner = agent("spinner", {}, { maxTurn: "100ms", idle: "1s" }).handlers({
  spin() {
    for (;;);
  },
});

export default defineConfig({ agents: [account, sleeper, spinner] });
