// The examples in a mesh of their own, in this process; the tests of the mesh run them on a real one.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { VodaError } from "voda";
import { numberedCalls } from "voda/client";
import { definitionOf } from "voda/definition";
import { testMesh } from "voda/testing";
import type { Edit } from "./editor/editor.ts";
import { editor } from "./editor/editor.ts";
import { CartService } from "./gen/shop/v1/cart_pb.ts";
import { type Bank, pretendBank } from "./order/bank.ts";
import { orderAt } from "./order/order.ts";
import { diary, poll, voter } from "./poll/poll.ts";
import { board } from "./research/research.ts";
import config from "./voda.config.ts";

const ofWorkflows = [
  "handler startWorkflow",
  "handler signalWorkflow",
  "handler cancelWorkflow",
  "readonly workflowStatus",
  "handler _workflow",
  "readonly _workflowRead",
];

test("the config names the agents with their methods", () => {
  const methods = config.agents.map((agent) => [
    agent.name,
    definitionOf(agent).methods.map((method) => `${method.mode} ${method.name}`),
  ]);
  assert.deepEqual(methods, [
    ["counter", ["readonly get", "handler add"]],
    ["cart", ["handler addItem", "readonly getCart"]],
    ["editor", ["readonly text", "readonly length", "handler apply"]],
    ["diary", ["readonly results", "handler note"]],
    ["poll", ["readonly votes", "handler count", "handler close"]],
    ["voter", ["handler vote"]],
    [
      "findings",
      ["readonly subscribers", "publish", "subscribe", "unsubscribe", "step", "look", "page"].map((one) =>
        one.startsWith("readonly") ? one : `handler ${one}`,
      ),
    ],
    ["source", ["readonly find", "handler write"]],
    ["research", ["handler look", "handler read", "handler watch", "handler drop"]],
    ["board", ["handler on_findings", "readonly sentences", "handler follow", "handler leave"]],
    ["order", ["readonly status", ...ofWorkflows, "handler place", "handler pack", "handler cancel"]],
  ]);
});

test("the counter adds and reads", async () => {
  await using mesh = await testMesh(config);
  const alice = mesh.client.counter("alice");
  assert.equal(await alice.add(2), 2);
  assert.equal(await alice.add(3), 5);
  mesh.kill();
  assert.equal(await alice.get(), 5);
});

test("the cart sums quantities, counts changes and refuses what cannot be bought", async () => {
  await using mesh = await testMesh(config);
  const transport = createConnectTransport({ baseUrl: "http://mesh", fetch: mesh.fetch });
  const cart = createClient(CartService, transport);
  const headers = { "x-voda-session": "alice" };
  const add = (sku: string, quantity: number) => cart.addItem({ sku, quantity }, { headers });
  await add("cup", 1);
  await add("tea", 2);
  const { cart: after } = await add("tea", 3);
  const { cart: read } = await cart.getCart({}, { headers });
  assert.deepEqual(read, after);
  assert.equal(after?.version, 3n);
  assert.deepEqual(
    after.lines.map(({ sku, quantity }) => [sku, quantity]),
    [
      ["cup", 1],
      ["tea", 5],
    ],
  );
  await assert.rejects(add("", 1), /sku is empty/);
  await assert.rejects(add("tea", 0), /quantity of 0 is less than 1/);
});

test("a generated client that numbers its calls adds once, however many answers are lost", async () => {
  await using mesh = await testMesh(config);
  let answers = 0;
  const lossy: typeof fetch = async (...call) => {
    const answer = await mesh.fetch(...call);
    answers += 1;
    return answers % 2 === 1 ? new Response(null, { status: 503 }) : answer;
  };
  const interceptors = [numberedCalls()];
  const transport = createConnectTransport({ baseUrl: "http://mesh", fetch: lossy, interceptors });
  const cart = createClient(CartService, transport);
  const headers = { "x-voda-session": "alice" };
  await Promise.all(Array.from({ length: 20 }, () => cart.addItem({ sku: "cup", quantity: 1 }, { headers })));
  assert.ok(answers > 20);
  const { lines } = (await cart.getCart({}, { headers })).cart ?? {};
  assert.deepEqual(
    lines?.map(({ quantity }) => quantity),
    [20],
  );
  const once = { ...headers, "idempotency-key": "order-7" };
  const twice = () => cart.addItem({ sku: "tea", quantity: 1 }, { headers: once });
  await Promise.allSettled([twice(), twice(), twice()]);
  assert.equal((await cart.getCart({}, { headers })).cart?.lines.at(-1)?.quantity, 1);
  await assert.rejects(cart.addItem({ sku: "", quantity: 1 }, { headers }), /sku is empty/);
});

test("the editor applies edits in their order and refuses malformed ones with their index", async () => {
  await using mesh = await testMesh(config);
  const { apply, text, length } = mesh.client.editor("draft");
  const edits: Edit[] = [
    [0, 0, "hello"],
    [5, 0, " world"],
    [0, 1, "H"],
  ];
  assert.equal(await apply(edits), 11);
  assert.equal(await text(), "Hello world");
  assert.equal(await length(), 11);
  const refused = (input: unknown, message: RegExp): Promise<void> =>
    assert.rejects(
      apply(input as Edit[]),
      (error) => VodaError.is(error, "invalid_argument") && message.test(error.message),
    );
  await refused(undefined, /the input is not a list/);
  await refused([[0, 0, ""], 1], /edit 1 is not \[at, deleteCount, insert\]/);
  await refused([[-1, 0, ""]], /edit 0 is not/);
  await refused([[0, 0.5, ""]], /edit 0 is not/);
  await refused([[8, 4, ""]], /edit 0 reaches to 12 in a text of length 11/);
});

interface Trace {
  readonly startContent: string;
  readonly endContent: string;
  readonly txns: readonly { readonly patches: readonly [number, number, string][] }[];
}

test("the shipped editing history replays to its end", async () => {
  const file = new URL("./editor/trace.json.gz", import.meta.url);
  const trace = JSON.parse(gunzipSync(readFileSync(file)).toString()) as Trace;
  const edits = trace.txns.flatMap((txn) => txn.patches);
  // Its characters are all in the basic plane, so code points are code units.
  for (const edit of [...edits, [0, 0, trace.endContent]])
    assert.doesNotMatch(String(edit[2]), /[\ud800-\udfff]/);
  assert.equal(edits.length, 26_078);
  await using mesh = await testMesh({ agents: [editor] });
  const { apply } = mesh.client.editor("draft");
  await apply([[0, 0, trace.startContent]]);
  for (let at = 0; at < edits.length; at += 1_000) await apply(edits.slice(at, at + 1_000));
  assert.equal(mesh.state(editor, "draft").text, trace.endContent);
});

test("who votes again changes the vote, in the poll too", async () => {
  await using mesh = await testMesh(config);
  const ann = mesh.client.voter("ann");
  assert.deepEqual(await ann.vote({ in: "lunch", choice: "soup" }), { votes: 1 });
  assert.deepEqual(await ann.vote({ in: "lunch", choice: "rice" }), { votes: 1 });
  assert.deepEqual(await mesh.client.poll("lunch").votes(), { soup: 0, rice: 1 });
  assert.deepEqual(mesh.state(voter, "ann"), { choices: { lunch: "rice" } });
  assert.deepEqual(mesh.state(poll, "lunch").voters, ["ann"]);
});

test("a poll that closes tells everybody who has voted, once, also when its node dies", async () => {
  await using mesh = await testMesh(config);
  for (const [who, choice] of Object.entries({ ann: "soup", bob: "rice", cid: "rice" }))
    await mesh.client.voter(who).vote({ in: "lunch", choice });
  assert.deepEqual(await mesh.client.poll("lunch").close(), { winner: "rice" });
  mesh.kill();
  await mesh.settle();
  for (const who of ["ann", "bob", "cid"])
    assert.deepEqual(mesh.state(diary, who), { results: { lunch: "rice" } });
  assert.deepEqual(mesh.deadLetters, []);
});

test("a subject's findings reach who follows it, again each day, also when the node dies", async () => {
  await using mesh = await testMesh(config);
  const { client } = mesh;
  await client.source("tea").write("Tea is old. Green tea is not black.");
  await client.source("coffee").write("Coffee is not tea.");
  await client.research("drinks").read("tea");
  await client.board("ann").follow("drinks");
  await client.research("drinks").watch("tea");
  await mesh.settle();
  assert.deepEqual(mesh.state(board, "ann"), { sentences: { tea: 2 } });
  await client.research("drinks").read("coffee");
  mesh.kill();
  await mesh.advance("1d");
  await mesh.settle();
  assert.deepEqual(await client.board("ann").sentences(), { tea: 3 });
  await client.board("ann").leave("drinks");
  await client.research("drinks").drop("tea");
  assert.deepEqual(mesh.deadLetters, []);
});

/** What it was asked, in its order. */
function watched(bank: Bank): Bank & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    charge(cents, key) {
      asked.push(`charge ${cents}`);
      return bank.charge(cents, key);
    },
    refund(receipt, key) {
      asked.push(`refund ${receipt}`);
      return bank.refund(receipt, key);
    },
  };
}

test("an order is charged once and shipped, whatever dies, and however long its parcel takes", async () => {
  const bank = watched(pretendBank());
  const order = orderAt(bank);
  await using mesh = await testMesh({ agents: [order] });
  const session = mesh.client.order("o-1");
  assert.deepEqual(await session.place(500), { id: "checkout" });
  mesh.kill();
  await mesh.settle();
  assert.equal(await session.status(), "paid");
  await mesh.advance("1d");
  assert.equal(mesh.isAwake(order, "o-1"), false);
  await session.pack("parcel-7");
  const run = mesh.workflows(order, "o-1").checkout.get("checkout");
  await mesh.settle();
  assert.deepEqual(await run.result(), { receipt: "charge-1", parcel: "parcel-7" });
  assert.deepEqual(mesh.state(order, "o-1"), { status: "shipped", parcel: "parcel-7" });
  assert.deepEqual(bank.asked, ["charge 500"]);
});

test("an order that nobody packs, or that is cancelled, is refunded; one that the bank declines is not", async () => {
  const bank = watched(pretendBank());
  const order = orderAt(bank);
  await using mesh = await testMesh({ agents: [order] });
  const late = mesh.client.order("late");
  await late.place(500);
  await mesh.advance("3d");
  const { error } = await mesh.workflows(order, "late").checkout.get("checkout").status();
  assert.equal(error?.reason, "wait_timeout");
  assert.equal(await late.status(), "refunded");

  const regretted = mesh.client.order("regretted");
  await assert.rejects(regretted.cancel(), { reason: "workflow_not_found" });
  await regretted.place(200);
  await mesh.settle();
  assert.equal(await regretted.cancel(), true);
  await mesh.settle();
  assert.equal(await regretted.cancel(), false);
  assert.equal(await regretted.status(), "refunded");

  const dear = mesh.client.order("dear");
  await dear.place(5_000);
  await mesh.advance("1s");
  assert.equal((await mesh.workflows(order, "dear").checkout.get("checkout").status()).phase, "failed");
  assert.equal(await dear.status(), "placed");
  const paid = ["charge 500", "refund charge-1", "charge 200", "refund charge-3"];
  assert.deepEqual(bank.asked, [...paid, "charge 5000", "charge 5000", "charge 5000"]);
});
