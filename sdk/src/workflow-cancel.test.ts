// Handlers that cancel workflows of their session, as part of their turn.
import assert from "node:assert/strict";
import { test } from "node:test";
import { agent, s } from "./index.ts";
import { testMesh } from "./testing.ts";

const shop = agent("shop", { did: s.register<string[]>([]) })
  .workflows({
    async sell(wf) {
      const say = (word: string) => (state: { did: string[] | readonly string[] }) => {
        state.did = [...state.did, word];
      };
      await wf.tx("charge", say("charged"), { undo: say("refunded") });
      await wf.sleep("delivery", "1h");
    },
    async stop(wf) {
      await wf.tx("charge", () => null, {
        undo: (state) => {
          state.did = [...state.did, "taken back"];
        },
      });
      await wf.tx("stop", (_state, ctx) => ctx.cancelWorkflow(wf.id));
      await wf.sleep("for ever", "30d");
    },
  })
  .handlers({
    begin: (ctx, id: string) => ctx.start.sell(undefined, { id }),
    stops: (ctx) => ctx.start.stop(undefined, { id: "own" }),
    end: (ctx, id: string) => ctx.cancelWorkflow(id),
    endAndFail(ctx, id: string) {
      ctx.cancelWorkflow(id);
      throw new Error("not after all");
    },
    beginAndEnd: (ctx) => ctx.cancelWorkflow(ctx.start.sell(undefined, { id: "short" }).id),
  });

test("a handler cancels a workflow with its turn, and what it did is undone", async () => {
  await using mesh = await testMesh({ agents: [shop] });
  const session = mesh.client.shop("k");
  await session.begin("w");
  await mesh.settle();
  await assert.rejects(session.endAndFail("w"), { reason: "internal" });
  await mesh.settle();
  const run = mesh.workflows(shop, "k").sell.get("w");
  assert.equal((await run.status()).phase, "waiting");
  assert.equal(await session.end("w"), true);
  mesh.kill();
  await mesh.advance("5s");
  assert.equal((await run.status()).phase, "cancelled");
  assert.deepEqual(mesh.state(shop, "k").did, ["charged", "refunded"]);
  assert.equal(await session.end("w"), false, "it has ended");
});

test("one that was never started, and what is no id, is refused in words", async () => {
  await using mesh = await testMesh({ agents: [shop] });
  const session = mesh.client.shop("k");
  await assert.rejects(session.end("w"), {
    reason: "workflow_not_found",
    message: 'ctx.cancelWorkflow: the session has no workflow "w"',
  });
  await assert.rejects(session.end(""), {
    reason: "bad_request",
    message: "ctx.cancelWorkflow: the id of a workflow is a text of 1 to 128 characters; it has 0",
  });
});

test("one that is cancelled in the turn that starts it does nothing", async () => {
  await using mesh = await testMesh({ agents: [shop] });
  assert.equal(await mesh.client.shop("k").beginAndEnd(), true);
  await mesh.settle();
  assert.equal((await mesh.workflows(shop, "k").sell.get("short").status()).phase, "cancelled");
  assert.deepEqual(mesh.state(shop, "k").did, []);
});

test("a workflow that cancels itself in a turn of its own is undone", async () => {
  await using mesh = await testMesh({ agents: [shop] });
  await mesh.client.shop("k").stops();
  await mesh.settle();
  assert.equal((await mesh.workflows(shop, "k").stop.get("own").status()).phase, "cancelled");
  assert.deepEqual(mesh.state(shop, "k").did, ["taken back"]);
});
