// Agents whose inputs have schemas.
import { agent, s } from "voda";
import { defineConfig } from "voda/config";

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
      ...(typeof sku === "string" ? [] : [{ message: "is no text", path: ["sku"] }]),
      ...(typeof count === "number" ? [] : [{ message: "is no number", path: ["count"] }]),
    ];
    return typeof sku === "string" && typeof count === "number" ? { value: { sku, count } } : { issues };
  };
  const later = async (value: unknown) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    return validate(value);
  };
  const check: (value: unknown) => Checked<Order> | Promise<Checked<Order>> = isLater ? later : validate;
  const types: { readonly input: Order; readonly output: Order } | undefined = undefined;
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
  .handler("tidy", { access: "internal" }, () => null);

export default defineConfig({ agents: [shop] });
