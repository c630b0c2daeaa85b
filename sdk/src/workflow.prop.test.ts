// Workflows whose node dies before each of its steps.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Outside, rejection, shopOf } from "../test/shop.ts";
import { agent, VodaError } from "./index.ts";
import { explore } from "./testing.ts";

test("wherever the node dies, each step is done once in effect, and the workflow ends", async () => {
  const outside = new Outside();
  const shop = shopOf(outside);
  const { runs } = await explore(
    async (mesh) => {
      const run = await mesh.workflows(shop, "a").checkout.start({ cents: 5 }, { id: "o" });
      await mesh.settle();
      await mesh.client.shop("a").approve("eve");
      await mesh.advance("2m");
      assert.equal(await run.result(), "paid by eve: charge 5 done");
      assert.equal(mesh.state(shop, "a").turns, 2);
      assert.deepEqual(outside.effects, ["charge 5"]);
      outside.done.clear();
    },
    { agents: [shop], seeds: 1, kills: "every step" },
  );
  assert.ok(runs > 100, `${runs} runs`);
});

test("what is undone when the node dies is undone once, wherever it dies", async () => {
  const world = new Outside();
  const pair = agent("pair", {}).workflows({
    async both(wf) {
      for (const what of ["one", "two"])
        await wf.run(what, (op) => world.do(what, op.idempotencyKey), {
          undo: (_, op) => world.do(`undo ${what}`, op.idempotencyKey),
        });
      throw new VodaError("aborted", "enough");
    },
  });
  await explore(
    async (mesh) => {
      const run = await mesh.workflows(pair, "p").both.start(undefined, { id: "b" });
      await mesh.advance("1m");
      assert.equal((await rejection(run.result())).message, "enough");
      assert.deepEqual(world.effects, ["one", "two", "undo two", "undo one"]);
      world.done.clear();
    },
    { agents: [pair], seeds: 2, kills: "every step" },
  );
});
