import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { NatsConnection } from "@nats-io/transport-node";
import { AgentSchema } from "@voda/proto/api";
import { TrialResultSchema, TrialSchema } from "@voda/proto/node";
import { trialSubject } from "@voda/proto/wire";
import { type Nats, startNats } from "@voda/test/kit";
import { ControlError } from "../errors.ts";
import { tryOnNodes } from "./trial.ts";

let nats: Nats;
let connection: NatsConnection;
before(async () => {
  nats = await startNats();
  connection = await nats.connect();
});
after(() => nats.stop());

const agents = [create(AgentSchema, { namespace: "default", name: "cart", revision: "r" })];

/**
 * A node that answers with this problem, after a while; empty means that the bundle runs. `asked`: whether
 * what it was asked to load was published.
 */
async function nodeThatSays(
  node: string,
  message: string,
  afterMs = 0,
): Promise<AsyncDisposable & { readonly asked: readonly boolean[] }> {
  const own = await nats.connect();
  const asked: boolean[] = [];
  own.subscribe(trialSubject, {
    callback(_, trial) {
      asked.push(fromBinary(TrialSchema, trial.data).published);
      const code = message === "" ? "" : "invalid_argument";
      const result = create(TrialResultSchema, { node, code, reason: "bad_request", message });
      setTimeout(() => trial.respond(toBinary(TrialResultSchema, result)), afterMs);
    },
  });
  await own.flush();
  return { asked, [Symbol.asyncDispose]: () => own.drain() };
}

test("every node that holds a lease must have run it, the slow one too", async () => {
  await using _first = await nodeThatSays("n1", "");
  await using _second = await nodeThatSays("n2", "", 200);
  const startedMs = performance.now();
  await tryOnNodes({ connection, nodes: () => ["n1", "n2"] }, agents, false);
  assert.ok(performance.now() - startedMs >= 150);
});

test("nodes learn whether the bundle is published already", async () => {
  await using node = await nodeThatSays("n1", "");
  for (const published of [false, true])
    await tryOnNodes({ connection, nodes: () => ["n1"] }, agents, published);
  assert.deepEqual(node.asked, [false, true]);
});

test("one node that refuses is the answer, in its words", async () => {
  await using _first = await nodeThatSays("n1", "");
  await using _second = await nodeThatSays("n2", "on node n2: TypeError: no model");
  const refused = (error: unknown): boolean =>
    error instanceof ControlError && error.reason === "bad_request" && error.message.includes("no model");
  await assert.rejects(tryOnNodes({ connection, nodes: () => ["n1", "n2"] }, agents, false), refused);
});

test("a node that comes a moment later is asked; one that has lost its lease is not waited for", async () => {
  let nodes = ["gone"];
  const tried = tryOnNodes({ connection, nodes: () => nodes }, agents, false);
  await using _late = await nodeThatSays("n1", "");
  nodes = ["n1"];
  await tried;
});

test("without a node nothing is tried", async () => {
  await assert.rejects(
    tryOnNodes({ connection, nodes: () => [] }, agents, false),
    /no node is up to load the bundle, so it is not published/,
  );
});
