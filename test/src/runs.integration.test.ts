// Nodes as processes: what handlers do outside of the mesh is done once by its key, whatever is killed.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type ClusterNode, call, openTwoNodes, refusal, startHeldUpstream, waitUntil } from "./kit/index.ts";

const { n1, n2 } = await openTwoNodes("runs");
const { upstream, hold, timesOf, asked } = await startHeldUpstream();
after(() => upstream[Symbol.asyncDispose]());

const buy = (node: ClusterNode, order: string, id?: string) =>
  call(node.url, `shop/${order}/buy`, {
    input: { url: upstream.url, order },
    ...(id !== undefined && { id }),
  });

test("each step is done once, and what was answered is answered again", async () => {
  const first = await buy(n1, "plain", "plain");
  assert.equal(first.status, 200);
  assert.deepEqual((await buy(n2, "plain", "plain")).body, first.body);
  for (const path of ["/charge", "/ship"]) assert.deepEqual(timesOf("plain", path), [1]);
  assert.deepEqual((await call(n1.url, "shop/plain/paid")).body, {
    plain: (first.body as { charge: number }).charge,
  });
});

test("what a step writes is refused at once: it would be missing where the step is not done again", async () => {
  const input = { url: upstream.url, order: "within" };
  const { message, reason } = refusal(await call(n1.url, "shop/within/buyWithin", { input }));
  assert.equal(reason, "bad_request");
  assert.match(message, /^a write to state\.paid within step "charge": /);
  assert.deepEqual((await call(n1.url, "shop/within/paid")).body, {});
});

test("a node that dies amid a step: it is done again under its key, those before it are not", async () => {
  const release = hold("/ship");
  const first = buy(n1, "dies", "dies").catch(() => "broken");
  await asked("dies", "/ship");
  await n1.kill9();
  assert.equal(await first, "broken");
  release();
  const again = await waitUntil(async () => {
    const one = await buy(n2, "dies", "dies");
    return one.status === 200 && one;
  }, "the other node takes the session");
  assert.deepEqual([timesOf("dies", "/charge"), timesOf("dies", "/ship")], [[1], [2]]);
  const [ship] = upstream.of("dies", "/ship");
  assert.equal(new Set(ship?.asked).size, 1, "what it drew before is the same");
  assert.equal((again.body as { ship: number }).ship, ship?.receipt);
  await n1.restart();
});

test("a thread that ends amid steps of a call with an id and of one without: nothing runs again by itself", async () => {
  const [keyed, plain] = ["keyed", "plain-call"] as const;
  const release = hold("/ship");
  const first = [buy(n1, keyed, keyed), buy(n1, plain)];
  for (const order of [keyed, plain]) await asked(order, "/ship");
  const spun = await call(n1.url, "spinner/s/spin");
  assert.equal(refusal(spun).reason, "turn_timeout");
  for (const lost of await Promise.all(first)) assert.equal(refusal(lost).reason, "worker_lost");
  release();
  const times = (order: string) => [timesOf(order, "/charge"), timesOf(order, "/ship")];
  for (const order of [keyed, plain]) {
    assert.deepEqual((await call(n1.url, `shop/${order}/paid`)).body, {}, "its turn is undone");
    assert.deepEqual(times(order), [[1], [1]]);
  }
  assert.equal((await buy(n1, keyed, keyed)).status, 200);
  assert.deepEqual(times(keyed), [[1], [2]]);
  assert.equal((await buy(n1, plain)).status, 200);
  const twice = [1, 1];
  assert.deepEqual(times(plain), [twice, twice], "another call");
});
