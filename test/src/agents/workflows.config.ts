// An agent whose workflows do things at a server of the test's, and one that takes the thread of both.
import { agent, s, signal } from "voda";
import { defineConfig } from "voda/config";

interface Asked {
  /** Of the server. */
  readonly url: string;
  readonly order: string;
}

async function post(url: string, idempotencyKey: string, order: string): Promise<number> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "idempotency-key": idempotencyKey },
    body: JSON.stringify({ order }),
  });
  const { receipt } = (await response.json()) as { receipt: number };
  return receipt;
}

export const approved = signal<{ by: string }>("approved");

const shop = agent("shop", { steps: s.register<string[]>([]) }, { idle: "1h" })
  .readonly({ steps: (ctx) => ctx.state.steps })
  .workflows(
    {
      async sell(wf, { url, order }: Asked) {
        const note = (step: string) =>
          wf.tx(step, (state) => {
            state.steps = [...state.steps, `${order} ${step}`];
          });
        await note("begun");
        const charge = await wf.run("charge", (op) => post(`${url}/charge`, op.idempotencyKey, order), {
          undo: (_, op) => post(`${url}/refund`, op.idempotencyKey, order),
        });
        await note("charged");
        const yes = await wf.wait(approved);
        await wf.sleep("packing", "1s");
        const ship = await wf.run("ship", (op) => post(`${url}/ship`, op.idempotencyKey, order));
        await note(`shipped for ${yes.by}`);
        return { charge, ship };
      },
    },
    { access: "public" },
  )
  .handlers({
    approve: (ctx, { id, by }: { id: string; by: string }) => ctx.notify(id, approved, { by }),
  });

const spinner = agent("spinner", {}, { maxTurn: "100ms" }).handlers({
  spin() {
    for (;;);
  },
});

export default defineConfig({ agents: [shop, spinner] });
