// Nodes as processes: inputs with schemas, and what stands beside a handler.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Cluster, type ClusterNode, call, refusal, startCluster } from "./kit/index.ts";

const config = fileURLToPath(new URL("./agents/messages.config.ts", import.meta.url));

let cluster: Cluster;
let n1: ClusterNode;

before(async () => {
  cluster = await startCluster({ nodes: 2, config });
  [n1] = cluster.nodes as [ClusterNode];
});
after(() => cluster[Symbol.asyncDispose]());

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

test("a handler's own timeout ends and undoes its turn", async () => {
  const hung = await call(n1.url, "shop/hangs/hang");
  assert.deepEqual([hung.status, refusal(hung).reason], [504, "turn_timeout"]);
  assert.equal((await call(n1.url, "shop/hangs/sold")).body, 0);
});

test("clients cannot reach an internal handler, nor learn that there is one", async () => {
  const refused = await call(n1.url, "shop/hidden/tidy");
  assert.deepEqual([refused.status, refusal(refused).reason], [404, "method_not_found"]);
  assert.equal(refusal(refused).message, "agent shop has no method tidy; it has: sold, buy, buyLater, hang");
});
