// Adds to a cart over Connect: node cart.ts http://localhost:4000 cart-42 tea 2
import { randomUUID } from "node:crypto";
import { toJsonString } from "@bufbuild/protobuf";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { CartSchema, CartService } from "../../../gen/shop/v1/cart_pb.ts";

const [baseUrl = "", cart = "", sku = "", quantity = ""] = process.argv.slice(2);
const carts = createClient(CartService, createConnectTransport({ baseUrl, httpVersion: "1.1" }));
const session = { "x-voda-session": cart };
try {
  // The same key again is the same call: a retry takes effect once.
  const once = { "idempotency-key": randomUUID() };
  await carts.addItem(
    { sku, quantity: Number(quantity) },
    { headers: { ...session, ...once }, timeoutMs: 10_000 },
  );
  const answer = await carts.getCart({}, { headers: session, timeoutMs: 10_000 });
  if (answer.cart !== undefined) console.log(toJsonString(CartSchema, answer.cart));
} catch (error) {
  console.error(ConnectError.from(error).message);
  process.exitCode = 1;
}
