import { agent, s, VodaError } from "voda";
import { CartService } from "../gen/shop/v1/cart_pb.ts";

export const cart = agent("cart", { lines: s.map<number>(), version: s.counter() }).implements(CartService, {
  addItem(ctx, { sku, quantity }) {
    if (sku === "") throw new VodaError("invalid_argument", "sku is empty");
    if (quantity < 1) throw new VodaError("invalid_argument", `quantity of ${quantity} is less than 1`);
    ctx.state.lines.update(sku, (already = 0) => already + quantity);
    const version = ctx.state.version.add();
    return { cart: { lines: lines(ctx.state.lines), version: BigInt(version) } };
  },
  getCart: (ctx) => ({ cart: { lines: lines(ctx.state.lines), version: BigInt(ctx.state.version.value) } }),
});

const lines = (quantities: Iterable<[string, number]>) =>
  Array.from(quantities, ([sku, quantity]) => ({ sku, quantity }));
