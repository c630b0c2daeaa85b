import assert from "node:assert/strict";
import { test } from "node:test";
import { agent, s } from "./index.ts";
import { explore, type TestMesh } from "./testing.ts";

const account = agent("account", { cents: s.counter() }).handlers({
  add: (ctx, by: number) => ctx.state.cents.add(by),
});
/** What an upstream was told to charge. */
const charged: string[] = [];
const shop = agent("shop", { orders: s.map<number>() }).handlers({
  order(ctx, { id, cents }: { id: string; cents: number }) {
    ctx.state.orders.set(id, cents);
    ctx.send(account, "till").add(cents);
  },
  async pay(ctx, id: string) {
    const told = await ctx.run("pay", ({ idempotencyKey }) => {
      charged.push(idempotencyKey);
      return "paid";
    });
    ctx.state.orders.set(id, 1);
    return told;
  },
  charge(ctx, id: string) {
    charged.push(id);
    ctx.state.orders.set(id, 0);
  },
});
const agents = [account, shop] as const;

const orders = async (mesh: TestMesh<typeof agents>): Promise<void> => {
  const { order } = mesh.client.shop("s");
  await Promise.all([order({ id: "a", cents: 1 }), order({ id: "b", cents: 10 })]);
  await mesh.settle();
  assert.deepEqual(mesh.state(shop, "s"), { orders: { a: 1, b: 10 } });
  assert.equal(mesh.state(account, "till").cents, 11);
};

test("what is committed and sent happens once, whenever the node dies", async () => {
  const { runs, steps } = await explore(orders, { agents, seeds: 1, kills: "every step" });
  assert.ok(runs > 20, `${runs} runs`);
  assert.ok(steps > 20 * runs, `${steps} steps`);
});

test("what is done outside by ctx.run has one key, whenever the node dies", async () => {
  const pay = async (mesh: TestMesh<typeof agents>): Promise<void> => {
    charged.length = 0;
    assert.equal(await mesh.client.shop("s").pay("a"), "paid");
    assert.equal(new Set(charged).size, 1);
    assert.deepEqual(mesh.state(shop, "s"), { orders: { a: 1 } });
  };
  await explore(pay, { agents, seeds: 2, kills: "every step" });
});

test("an effect outside that a death doubles is found, and the run that is named shows it again", async () => {
  const charges = async (mesh: TestMesh<typeof agents>): Promise<void> => {
    charged.length = 0;
    await mesh.client.shop("s").charge("a");
    assert.deepEqual(charged, ["a"]);
  };
  await explore(charges, { agents, seeds: 3 });
  const found = await explore(charges, { agents, seeds: [7], kills: "every step" }).then(
    () => assert.fail("nothing was found"),
    (error: Error) => error,
  );
  const [, replay = ""] = /replay: "(seed 7, killed before step \d+)"/.exec(found.message) ?? [];
  assert.match(found.message, new RegExp(`^${replay}: Expected values`));
  assert.ok(found.cause instanceof assert.AssertionError);
  await assert.rejects(explore(charges, { agents, replay }), { message: found.message });
});

test("bad options are refused by name", async () => {
  const nothing = async (): Promise<void> => undefined;
  await assert.rejects(explore(nothing, { agents, replay: "3" }), /replay of "3"/);
  await assert.rejects(explore(nothing, { agents, seeds: 0 }), /seeds of 0/);
  const failing = async (): Promise<void> => assert.fail("it ran");
  await assert.rejects(explore(failing, { agents, kills: "some" as never }), /^TypeError: kills of "some"/);
  await assert.rejects(explore(failing, { agents, seeds: [] }), /^RangeError: seeds is empty/);
  await assert.rejects(explore(nothing, { agents, seed: 1 } as never), /seed/);
});

test("the run of any seed can be named", async () => {
  const failing = async (): Promise<void> => assert.fail("no");
  const replay = "seed -1";
  const words = new RegExp(`^Error: ${replay}: no\n.*replay: "${replay}"`);
  await assert.rejects(explore(failing, { agents, seeds: [-1] }), words);
  await assert.rejects(explore(failing, { agents, replay }), words);
});
