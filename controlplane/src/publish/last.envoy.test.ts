// Envoy without a control plane: it starts with what it ran with last, and follows the next control plane.
import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { hasLast } from "@voda/envoy";
import {
  callHttp1,
  openEcho,
  openTestIngress,
  type TestIngress,
  type TestServer,
} from "../../../test/src/kit/ingress.ts";
import { waitUntil } from "../../../test/src/kit/wait.ts";

let first: TestServer;
let second: TestServer;
let ingress: TestIngress;

before(async () => {
  [first, second] = await Promise.all([openEcho("n1"), openEcho("n2")]);
  ingress = await openTestIngress([first]);
});
after(async () => {
  await ingress[Symbol.asyncDispose]();
  await Promise.all([first.close(), second.close()]);
});

const answering = async (): Promise<string> =>
  (await callHttp1(ingress.port, "/agents/counter/a/add")).seen().server;

test("Envoy that starts while no control plane lives serves as before, and follows the one that comes back", async () => {
  const { last } = ingress.edge;
  await waitUntil(() => hasLast(last), "what Envoy accepted is on disk");
  await ingress.stopXds();
  await ingress.restartEnvoy({ type: "last", folder: last });
  assert.equal(await answering(), "n1");
  assert.equal(
    (await callHttp1(ingress.port, "/agents/counter/a/add", { host: "evil.example" })).status,
    403,
  );
  assert.equal((await callHttp1(ingress.port, "/voda.api.v1.NodeService/ListNodes")).seen().server, "api");

  await ingress.startXds([second]);
  await waitUntil(async () => (await answering()) === "n2", "Envoy has the nodes of the new one");
  await ingress.restartEnvoy({ type: "xds", path: ingress.edge.xds });
  assert.equal(await answering(), "n2");
});

test("what is kept is for its owner alone, for it holds the secret of the edge", () => {
  const { last } = ingress.edge;
  assert.equal(statSync(last).mode & 0o777, 0o700);
  const modes = readdirSync(last).map((name) => (statSync(join(last, name)).mode & 0o777).toString(8));
  assert.deepEqual(modes, ["600", "600", "600", "600"]);
});
