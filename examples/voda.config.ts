import { defineConfig } from "voda/config";
import { cart } from "./cart/cart.ts";
import { counter } from "./counter/counter.ts";
import { editor } from "./editor/editor.ts";
import { order } from "./order/order.ts";
import { diary, poll, voter } from "./poll/poll.ts";
import { board, findings, research, source } from "./research/research.ts";

export default defineConfig({
  agents: [counter, cart, editor, diary, poll, voter, findings, source, research, board, order],
});
