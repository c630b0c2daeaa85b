import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { passesToNode } from "./readiness.ts";

test("the way to the nodes is open when something else than 503 answers, be it a refusal", async (context) => {
  const asked: string[] = [];
  let status = 503;
  const server = createServer(({ method, url }, response) => {
    asked.push(`${method} ${url}`);
    response.writeHead(status).end("{}");
  }).listen(0, "127.0.0.1");
  context.after(() => server.close());
  await once(server, "listening");
  const ingress = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const open: boolean[] = [];
  for (status of [503, 204, 405]) open.push(await passesToNode(ingress));
  assert.deepEqual(open, [false, true, true]);
  assert.deepEqual(new Set(asked), new Set(["OPTIONS /agents/"]), "nothing that wakes a session");
});
