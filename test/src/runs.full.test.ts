// Sessions that pay and ship at a server, while their nodes and threads are killed at random points.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setImmediate as loopTick } from "node:timers/promises";
import { prng } from "@voda/stdx";
import { call, type Effect, openTwoNodes, refusal, startUpstream, waitUntil } from "./kit/index.ts";

const kills = 30;
const shops = 8;
const seed = Number(process.env["RUNS_SEED"] ?? Date.now() % 1_000_000);
const random = prng(seed);

/** Steps that are asked for once the result of a later one was. */
const wrong: string[] = [];

const { cluster } = await openTwoNodes("runs");
const upstream = await startUpstream(async (effect) => {
  noteOrder(effect);
  for (let turns = random.below(500); turns > 0; turns -= 1) await loopTick();
});
after(() => upstream[Symbol.asyncDispose]());

/** A shipment is asked for when the charge is in the journal: from then on nobody charges. */
function noteOrder({ path, order }: Effect): void {
  if (path === "/charge" && upstream.of(order, "/ship").length > 0) wrong.push(order);
}

type Receipts = { readonly charge: number; readonly ship: number };

/** Again under the same id, at the one node or the other, until it is answered. */
async function insist(shop: string, order: string): Promise<Receipts> {
  const input = { url: upstream.url, order };
  const { body } = await waitUntil(
    async () => {
      const { url } = random.pick(cluster.nodes);
      const options = { input, id: order, signal: AbortSignal.timeout(5_000) };
      const [outcome] = await Promise.allSettled([call(url, `shop/${shop}/buy`, options)]);
      if (outcome.status === "rejected") return false;
      if (outcome.value.status === 200) return outcome.value;
      const { code } = refusal(outcome.value);
      assert.ok(["unavailable", "resource_exhausted", "deadline_exceeded"].includes(code), code);
      return false;
    },
    `${order} is answered`,
    60_000,
  );
  return body as Receipts;
}

test("30 SIGKILLs of nodes, and threads that end: each step is done once by its key", async (context) => {
  context.diagnostic(`seed ${seed}`);
  const stop = new AbortController();
  const answers = new Map<string, Receipts>();
  const shopping = Array.from({ length: shops }, async (_, at) => {
    for (let i = 0; !stop.signal.aborted; i += 1)
      answers.set(`${at}-${i}`, await insist(`s${at}`, `${at}-${i}`));
  });
  for (let kill = 0; kill < kills; kill += 1) {
    const node = random.pick(cluster.nodes);
    const until = answers.size + random.below(40);
    await waitUntil(() => answers.size > until, "shops sell");
    if (random.chance(0.3)) await call(node.url, "spinner/s/spin");
    await node.kill9();
    await node.restart();
  }
  stop.abort();
  await Promise.all(shopping);
  for (const [order, { charge, ship }] of answers) {
    const [charges, ships] = [upstream.of(order, "/charge"), upstream.of(order, "/ship")];
    assert.deepEqual([charges.length, ships.length], [1, 1], `${order} has one key of each`);
    assert.deepEqual([charges[0]?.receipt, ships[0]?.receipt], [charge, ship], order);
    assert.equal(new Set(ships[0]?.asked).size, 1, `${order} drew once`);
    const [shop = ""] = order.split("-");
    assert.deepEqual(await insist(`s${shop}`, order), { charge, ship }, `${order} is answered again`);
  }
  assert.deepEqual(wrong, []);
  const again = [...upstream.effects.values()].filter(({ asked }) => asked.length > 1).length;
  context.diagnostic(`${answers.size} orders, ${again} steps were asked for more than once`);
});
