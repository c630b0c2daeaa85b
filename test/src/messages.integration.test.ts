// Nodes as processes: inputs with schemas, what stands beside a handler, and handlers that ask other
// sessions.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { errorInfo } from "@voda/proto/errors";
import { CartService } from "../../examples/gen/shop/v1/cart_pb.ts";
import { type ClusterNode, call, openTwoNodes, refusal, waitUntil } from "./kit/index.ts";

const folder = mkdtempSync(join(tmpdir(), "voda-messages-"));
after(() => rmSync(folder, { recursive: true }));
const { n1, n2 } = await openTwoNodes("messages");

for (const method of ["buy", "buyLater"])
  test(`${method}: an input that does not fit is the caller's mistake, told with its place, and changes nothing`, async () => {
    const path = (name: string): string => `shop/${method}/${name}`;
    assert.equal((await call(n1.url, path(method), { input: { sku: "a", count: 2 } })).body, 2);
    for (const input of [{ sku: 1, count: "2" }, "nonsense", undefined]) {
      const refused = await call(n1.url, path(method), { input });
      assert.equal(refused.status, 400);
      assert.deepEqual(refusal(refused), {
        code: "invalid_argument",
        reason: "invalid_input",
        message: "input.sku: is no text; input.count: is no number",
      });
      const { details } = refused.body as { details: { debug: { metadata: { issues: string } } }[] };
      assert.deepEqual(JSON.parse(details[0]?.debug.metadata.issues ?? ""), [
        { path: "input.sku", message: "is no text" },
        { path: "input.count", message: "is no number" },
      ]);
    }
    assert.equal((await call(n1.url, path("sold"))).body, 2);
  });

test("a readonly handler with a schema sees the committed state, and its input is checked", async () => {
  await call(n1.url, "shop/has/buy", { input: { sku: "a", count: 2 } });
  for (const count of [2, 3])
    assert.equal((await call(n1.url, "shop/has/has", { input: { sku: "a", count } })).body, count === 2);
  assert.equal(refusal(await call(n1.url, "shop/has/has", { input: { sku: "a" } })).reason, "invalid_input");
});

for (const [protocol, transport] of Object.entries({
  Connect: () => createConnectTransport({ baseUrl: n1.url, httpVersion: "1.1" }),
  gRPC: () => createGrpcTransport({ baseUrl: n1.url }),
  "gRPC-Web": () => createGrpcWebTransport({ baseUrl: n1.url, httpVersion: "1.1" }),
}))
  test(`${protocol}: an input that does not fit is told with code, reason and issues`, async () => {
    const front = createClient(CartService, transport());
    const headers = { "x-voda-session": "front" };
    assert.equal((await front.addItem({ sku: "a", quantity: 1 }, { headers })).cart, undefined);
    const error = await front.addItem({ sku: "", quantity: 1 }, { headers }).then(
      () => assert.fail("it was not refused"),
      (thrown: unknown) => ConnectError.from(thrown),
    );
    assert.deepEqual(
      [error.code, error.rawMessage],
      [Code.InvalidArgument, "front/front -> shop/front buy: input.sku: is no text"],
    );
    const issues = JSON.stringify([{ path: "input.sku", message: "is no text" }]);
    const { type, value } = errorInfo("invalid_input", { issues });
    const [info] = error.details;
    assert.ok(info !== undefined && "type" in info);
    assert.deepEqual([info.type, Buffer.from(info.value)], [type, Buffer.from(value)]);
  });

for (const where of ["here", "elsewhere"])
  test(`${where}: a call that does not wait is refused while a turn runs, and is done when none does`, async () => {
    const shop = `shop/busy-${where}`;
    const buyNow = (id: string) =>
      call(n1.url, `${shop}/buyNow`, { input: { sku: "a", count: 1 }, id: `${where}-${id}` });
    const owner = where === "here" ? n1 : n2;
    await call(owner.url, `${shop}/buy`, { input: { sku: "a", count: 1 } });
    assert.equal((await buyNow("before")).body, 2);
    const end = join(folder, where);
    const stocktake = call(n1.url, `${shop}/stocktake`, { input: end });
    let refused = await buyNow("first");
    for (let attempt = 0; refused.status === 200 && attempt < 100; attempt += 1)
      refused = await buyNow(`next-${attempt}`);
    assert.equal(refused.status, 409);
    assert.deepEqual([refusal(refused).code, refusal(refused).reason], ["aborted", "busy"]);
    const { body: asked } = await call(n1.url, "teller/hurries/buyNow", { input: `busy-${where}` });
    assert.equal((asked as { reason: string }).reason, "busy");
    assert.equal((await buyNow("before")).body, 2, "what was done is answered, whatever runs");
    writeFileSync(end, "");
    const sold = Number((await stocktake).body);
    assert.equal((await buyNow("after")).body, sold + 1);
  });

test("a handler's own timeout ends and undoes its turn", async () => {
  const hung = await call(n1.url, "shop/hangs/hang");
  assert.deepEqual([hung.status, refusal(hung).reason], [504, "turn_timeout"]);
  assert.equal((await call(n1.url, "shop/hangs/sold")).body, 0);
});

test("clients cannot reach an internal handler, nor learn that there is one", async () => {
  const refused = await call(n1.url, "shop/hidden/tidy");
  assert.deepEqual([refused.status, refusal(refused).reason], [404, "method_not_found"]);
  assert.equal(
    refusal(refused).message,
    "agent shop has no method tidy; it has: sold, buy, buyLater, hang, stocktake, buyNow, has",
  );
});

/** Where the session is then. */
const settle = (node: ClusterNode, session: string): Promise<unknown> =>
  call(node.url, `ledger/${session}/add`, { input: 0 });
const total = async (session: string): Promise<unknown> =>
  (await call(n2.url, `ledger/${session}/total`)).body;

for (const where of ["here", "elsewhere"])
  test(`${where}: an ask gets its answer, and both turns take place`, async () => {
    await settle(where === "here" ? n1 : n2, where);
    const paid = await call(n1.url, `teller/${where}/pay`, { input: { to: where, by: 5 } });
    assert.deepEqual([paid.status, paid.body], [200, 5]);
    assert.equal((await call(n1.url, `teller/${where}/paid`)).body, 5);
    assert.equal((await call(n1.url, `teller/${where}/total`, { input: where })).body, 5);
    assert.equal(await total(where), 5);
  });

test("equal asks of one turn are two, and a repeated call asks nothing again", async () => {
  for (let attempt = 0; attempt < 2; attempt += 1)
    assert.deepEqual(
      (await call(n1.url, "teller/twice/payTwice", { input: "twice", id: "t-1" })).body,
      [1, 2],
    );
  assert.equal(await total("twice"), 2);
});

test("what is asked learns who asks, and an internal handler is reached", async () => {
  const { body } = await call(n1.url, "teller/known/whoAsks", { input: "known" });
  assert.deepEqual(body, { name: "teller", key: "known" });
  assert.equal(refusal(await call(n1.url, "ledger/known/whoAsks")).reason, "method_not_found");
});

test("an error of the asked handler arrives as it was thrown, and passes on when nobody catches it", async () => {
  const { body } = await call(n1.url, "teller/refused/refused", { input: "refused" });
  assert.deepEqual(body, {
    code: "failed_precondition",
    reason: "closed_on_friday",
    message: "not today",
    details: { day: "friday" },
  });
  const passed = refusal(await call(n1.url, "teller/refused/passesOn", { input: "refused" }));
  assert.deepEqual(passed, { code: "failed_precondition", reason: "closed_on_friday", message: "not today" });
});

test("an ask ends by its own timeout, and its turn goes on", async () => {
  const { body } = await call(n1.url, "teller/late/late", { input: "late" });
  assert.deepEqual(
    [(body as { code: string }).code, (body as { reason: string }).reason],
    ["deadline_exceeded", "turn_timeout"],
  );
});

test("a gathering asks sessions of both nodes, and does not wait for more than it needs", async () => {
  for (const [node, key] of [
    [n1, "near"],
    [n2, "far"],
  ] as const)
    await call(node.url, `ledger/${key}/add`, { input: key.length });
  const all = await call(n1.url, "teller/gathers/totals", { input: { keys: ["near", "far"] } });
  assert.deepEqual(all.body, { ok: [4, 3], failed: [], late: 0 });
  await settle(n2, "hangs");
  const first = await call(n1.url, "teller/gathers/firstOf", { input: { done: "far", hangs: "hangs" } });
  assert.deepEqual(first.body, { ok: [4], late: 1 });
});

test("a readonly handler asks readonly handlers only", async () => {
  const { body } = await call(n1.url, "teller/sneaks/sneak", { input: "sneaks" });
  assert.match(
    (body as { message: string }).message,
    /^a readonly handler asks readonly ones only, and add writes/,
  );
  assert.equal(await total("sneaks"), 0);
});

test("a chain that comes back to a session that waits for it fails at once, with its path, and undoes all turns", async () => {
  const startedMs = performance.now();
  const failed = await call(n1.url, "teller/a/relay", { input: ["b", "c", "a"] });
  assert.ok(performance.now() - startedMs < 5_000);
  assert.deepEqual(
    [failed.status, refusal(failed)],
    [
      400,
      {
        code: "failed_precondition",
        reason: "deadlock",
        message: "the session waits for what it asks itself: teller/a -> teller/b -> teller/c -> teller/a",
      },
    ],
  );
  for (const key of ["a", "b", "c"]) assert.equal((await call(n1.url, `teller/${key}/paid`)).body, 0);
  assert.equal((await call(n1.url, "teller/a/relay", { input: ["b", "c"] })).body, 2);
});

test("of two turns that ask crosswise one fails at once with the way, and the other takes place", async () => {
  for (const key of ["x", "y"]) await call(n1.url, `teller/${key}/relay`, { input: [] });
  const startedMs = performance.now();
  const both = await Promise.all([
    call(n1.url, "teller/x/meet", { input: "y" }),
    call(n1.url, "teller/y/meet", { input: "x" }),
  ]);
  assert.ok(performance.now() - startedMs < 10_000);
  assert.deepEqual(
    both.map(({ status }) => status).sort((a, b) => a - b),
    [200, 400],
  );
  const failed = both.find(({ status }) => status === 400) ?? assert.fail();
  assert.equal(failed.headers.get("retry-after"), "1", "the other turn may end by itself");
  const { reason, message } = refusal(failed);
  assert.equal(reason, "deadlock");
  assert.match(message, /teller\/(x|y) -> teller\/(x|y) -> teller\/(x|y); ask in one order/);
});

test("sessions wait for each other in rows of bounded length", async () => {
  const path = Array.from({ length: 17 }, (_, i) => `deep${i}`);
  const failed = refusal(await call(n1.url, "teller/deep/relay", { input: path }));
  assert.equal(failed.reason, "asks_too_deep");
  assert.equal((await call(n1.url, "teller/deep/relay", { input: path.slice(0, 16) })).body, 16);
});

/** The slow handler of a session of the second node has begun. */
const isAsked = (session: string): Promise<unknown> =>
  waitUntil(async () => (await call(n2.url, `ledger/${session}/isSlow`)).body === true, "it is asked");

test("a turn whose node dies after it asked asks again elsewhere, and the effect is there once", async () => {
  await settle(n2, "asker-dies");
  await call(n1.url, "teller/asker-dies/paid");
  const pay = (node: ClusterNode) =>
    call(node.url, "teller/asker-dies/paySlowly", {
      input: { to: "asker-dies", by: 7, ms: 2_000 },
      id: "once",
    });
  const first = assert.rejects(pay(n1), /fetch failed/);
  await isAsked("asker-dies");
  await n1.kill9();
  await first;
  const again = await waitUntil(async () => {
    const called = await pay(n2);
    return called.status < 500 ? called : undefined;
  }, "the call is decided");
  assert.deepEqual([again.status, again.body], [200, 7]);
  assert.equal(await total("asker-dies"), 7);
  assert.equal((await call(n2.url, "teller/asker-dies/paid")).body, 7);
  await n1.restart();
});

test("an ask whose node dies is found or runs where the session is next, once", async () => {
  await settle(n2, "asked-dies");
  const paying = call(n1.url, "teller/asked-dies/paySlowly", {
    input: { to: "asked-dies", by: 9, ms: 2_000 },
    id: "once",
  });
  await isAsked("asked-dies");
  await n2.kill9();
  const paid = await paying;
  assert.deepEqual([paid.status, paid.body], [200, 9]);
  await n2.restart();
  assert.equal((await call(n1.url, "ledger/asked-dies/total")).body, 9);
});
