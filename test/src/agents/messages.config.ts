// Agents whose inputs have schemas, and agents that ask each other.
import { existsSync } from "node:fs";
import { agent, s, VodaError } from "voda";
import { defineConfig } from "voda/config";
import { CartService } from "../../../examples/gen/shop/v1/cart_pb.ts";

type Checked<X> =
  | { readonly value: X }
  | { readonly issues: readonly { message: string; path?: string[] }[] };

interface Order {
  readonly sku: string;
  readonly count: number;
}

/** A schema as every library makes them; it takes a moment where `isLater`. */
function orderSchema(isLater: boolean) {
  const validate = (value: unknown): Checked<Order> => {
    const { sku, count } = (value ?? {}) as { sku?: unknown; count?: unknown };
    const issues = [
      ...(typeof sku === "string" && sku !== "" ? [] : [{ message: "is no text", path: ["sku"] }]),
      ...(typeof count === "number" ? [] : [{ message: "is no number", path: ["count"] }]),
    ];
    return issues.length === 0 ? { value: { sku: String(sku), count: Number(count) } } : { issues };
  };
  const later = async (value: unknown) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    return validate(value);
  };
  const check: (value: unknown) => Checked<Order> | Promise<Checked<Order>> = isLater ? later : validate;
  const types = undefined as { readonly input: Order; readonly output: Order } | undefined;
  return { "~standard": { version: 1, vendor: "test", validate: check, types } } as const;
}

const shop = agent("shop", { sold: s.counter() })
  .readonly({ sold: (ctx) => ctx.state.sold.value })
  .handler("buy", { input: orderSchema(false), description: "Sells." }, (ctx, { count }) =>
    ctx.state.sold.add(count),
  )
  .handler("buyLater", { input: orderSchema(true) }, (ctx, { count }) => ctx.state.sold.add(count))
  .handler("hang", { timeout: "50ms" }, async (ctx) => {
    ctx.state.sold.add(1_000);
    await new Promise(() => undefined);
    return null;
  })
  /** Takes its session until there is a file at `path`. */
  .handlers({
    async stocktake(ctx, path: string) {
      ctx.state.sold.add(100);
      while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 20));
      return ctx.state.sold.value;
    },
  })
  .handler("buyNow", { onBusy: "reject", input: orderSchema(false) }, (ctx, { count }) =>
    ctx.state.sold.add(count),
  )
  .handler("tidy", { access: "internal" }, () => null)
  .handler(
    "has",
    { readonly: true, input: orderSchema(false) },
    (ctx, { count }) => ctx.state.sold.value >= count,
  );

/** For callers of other protocols: sells what the shop sells. */
const front = agent("front").implements(CartService, {
  async addItem(ctx, { sku, quantity }) {
    await ctx.ask(shop, ctx.key).buy({ sku, count: quantity });
    return {};
  },
  getCart: () => ({}),
});

/** Sessions whose slow handler has begun in this thread. */
const slow = new Set<string>();

const ledger = agent("ledger", { total: s.counter() }, { idle: "1h" })
  .readonly({ total: (ctx) => ctx.state.total.value, isSlow: (ctx) => slow.has(ctx.key) })
  .handlers({
    add: (ctx, by: number) => ctx.state.total.add(by),
    async addSlowly(ctx, { by, ms }: { by: number; ms: number }) {
      slow.add(ctx.key);
      const total = ctx.state.total.add(by);
      await new Promise((resolve) => setTimeout(resolve, ms));
      return total;
    },
    async hang() {
      await new Promise(() => undefined);
      return null;
    },
    refuse() {
      throw new VodaError("failed_precondition", "not today", {
        reason: "closed_on_friday",
        details: { day: "friday" },
      });
    },
  })
  .handler("whoAsks", { access: "internal" }, (ctx) => ctx.caller.agent ?? null);

const told = (error: unknown) => {
  const { code, reason, message, details } = VodaError.from(error);
  return { code, reason, message, details };
};

const teller = agent("teller", { paid: s.counter() }, { idle: "1h" })
  .readonly({
    paid: (ctx) => ctx.state.paid.value,
    total: (ctx, key: string) => ctx.ask(ledger, key).total(),
    sneak: (ctx, key: string) => ctx.ask(ledger, key).add(1).catch(told),
    async totals(ctx, { keys, min }: { keys: readonly string[]; min?: number }) {
      const asks = keys.map((key) => ctx.ask(ledger, key).total());
      const { ok, failed, late } = await ctx.gather(asks, { min: min ?? keys.length, timeout: "5s" });
      return { ok, failed: failed.map(({ code }) => code), late };
    },
  })
  .handlers({
    async pay(ctx, { to, by }: { to: string; by: number }) {
      ctx.state.paid.add(by);
      return ctx.ask(ledger, to).add(by);
    },
    async paySlowly(ctx, { to, by, ms }: { to: string; by: number; ms: number }) {
      ctx.state.paid.add(by);
      return ctx.ask(ledger, to).addSlowly({ by, ms });
    },
    async payTwice(ctx, to: string) {
      const asks = ctx.ask(ledger, to);
      return Promise.all([asks.add(1), asks.add(1)]);
    },
    /** Waits for one that is done and not for one that hangs. */
    async firstOf(ctx, { done, hangs }: { done: string; hangs: string }) {
      const asks = [ctx.ask(ledger, hangs).hang(), ctx.ask(ledger, done).add(1)];
      const { ok, late } = await ctx.gather(asks, { min: 1, timeout: "5s" });
      return { ok, late };
    },
    buyNow: (ctx, key: string) => ctx.ask(shop, key).buyNow({ sku: "a", count: 1 }).catch(told),
    whoAsks: (ctx, to: string) => ctx.ask(ledger, to).whoAsks(),
    refused: (ctx, to: string) => ctx.ask(ledger, to).refuse().catch(told),
    passesOn: (ctx, to: string) => ctx.ask(ledger, to).refuse(),
    late: (ctx, to: string) => ctx.ask(ledger, to, { timeout: "100ms" }).hang().catch(told),
    /** Asks once the other one has had its time to begin. */
    async meet(ctx, to: string): Promise<number> {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      return ctx.ask(relays(), to).relay([]);
    },
    /** Asks itself down the path: `["b", "a"]` of session `a` comes back to it. */
    async relay(ctx, path: readonly string[]): Promise<number> {
      const [next, ...rest] = path;
      ctx.state.paid.add(1);
      if (next === undefined) return 0;
      return 1 + (await ctx.ask(relays(), next).relay(rest));
    },
  });
const relays = () => teller;

export default defineConfig({ agents: [shop, front, ledger, teller] });
