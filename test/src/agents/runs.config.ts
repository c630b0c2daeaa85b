// An agent that does things at a server of the test's, and one that takes the thread of both.
import { agent, s } from "voda";
import { defineConfig } from "voda/config";

interface Asked {
  /** Of the server. */
  readonly url: string;
  readonly order: string;
}

interface Done {
  readonly key: string;
  readonly receipt: number;
}

async function post(url: string, idempotencyKey: string, body: object): Promise<Done> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "idempotency-key": idempotencyKey },
    body: JSON.stringify(body),
  });
  return (await response.json()) as Done;
}

const shop = agent("shop", { paid: s.map<number>() }, { idle: "1h" })
  .readonly({ paid: (ctx) => Object.fromEntries(ctx.state.paid) })
  .handlers({
    async buy(ctx, { url, order }: Asked) {
      const parcel = ctx.uuid();
      const charge = await ctx.run("charge", ({ idempotencyKey }) =>
        post(`${url}/charge`, idempotencyKey, { order }),
      );
      const ship = await ctx.run("ship", ({ idempotencyKey }) =>
        post(`${url}/ship`, idempotencyKey, { order, parcel }),
      );
      ctx.state.paid.set(order, charge.receipt);
      return { charge: charge.receipt, ship: ship.receipt };
    },
    buyWithin: (ctx, { url, order }: Asked) =>
      ctx.run("charge", async ({ idempotencyKey }) => {
        const { receipt } = await post(`${url}/charge`, idempotencyKey, { order });
        ctx.state.paid.set(order, receipt);
        return receipt;
      }),
  });

const spinner = agent("spinner", {}, { maxTurn: "100ms" }).handlers({
  spin() {
    for (;;);
  },
});

export default defineConfig({ agents: [shop, spinner] });
