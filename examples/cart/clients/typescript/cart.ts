// Adds to a cart over Connect: node cart.ts http://localhost:4000 cart-42 tea 2
import { toJsonString } from "@bufbuild/protobuf";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { numberedCalls } from "voda/client";
import { CartSchema, CartService } from "../../../gen/shop/v1/cart_pb.ts";

const [baseUrl = "", cart = "", sku = "", quantity = ""] = process.argv.slice(2);
// Numbered calls take effect once, however often they are sent.
const interceptors = [numberedCalls()];
const transport = createConnectTransport({ baseUrl, httpVersion: "1.1", interceptors });
const carts = createClient(CartService, transport);
const session = { headers: { "x-voda-session": cart }, timeoutMs: 10_000 };
try {
  await carts.addItem({ sku, quantity: Number(quantity) }, session);
  const answer = await carts.getCart({}, session);
  if (answer.cart !== undefined) console.log(toJsonString(CartSchema, answer.cart));
} catch (error) {
  console.error(ConnectError.from(error).message);
  process.exitCode = 1;
}
