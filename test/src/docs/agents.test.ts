// docs/agents.md: its agents are loaded and do what the page says; its tables have every kind and option.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { crc32 } from "node:zlib";
import { fieldKindNames } from "@voda/proto/fields";
import type { AgentOptions, HandlerOptions } from "voda";
import { type AnyAgent, definitionOf, handlersOf, isAgent } from "voda/definition";
import { Abort, Context } from "../../../dataplane/src/worker/context.ts";
import { openState } from "../../../state/src/index.ts";
import { blocksOf, read, root } from "./documents.ts";

const page = "docs/agents.md";
mkdirSync(join(root, ".voda"), { recursive: true });
const folder = mkdtempSync(join(root, ".voda/agents-"));
after(() => rmSync(folder, { recursive: true, force: true }));

async function agentOf(name: string): Promise<AnyAgent> {
  const block = blocksOf(page).find(({ text }) => text.startsWith(`// ${name}.ts\n`));
  const file = join(folder, `${name}.ts`);
  writeFileSync(file, block?.text ?? assert.fail(`${page} has no ${name}.ts`));
  const module: Readonly<Record<string, unknown>> = await import(file);
  const found = module[name];
  assert.ok(isAgent(found));
  return found;
}

/** Calls of one session; what they answer is JSON. */
function sessionOf(agent: AnyAgent) {
  const { fields } = definitionOf(agent);
  const state = openState(Object.fromEntries(fields.map(({ name, ...field }) => [name, field])), { crc32 });
  return async (method: string, input?: unknown): Promise<unknown> => {
    const handler = handlersOf(agent).get(method) ?? assert.fail(`no handler ${method}`);
    const turn = state.begin();
    const ctx = {
      state: turn.state,
      now: () => 5,
      signal: new AbortController().signal,
      caller: { subject: "ann" },
    };
    const answer = await handler.run(ctx as never, input);
    const said = JSON.stringify(answer);
    turn.commit(1);
    return said === undefined ? undefined : JSON.parse(said);
  };
}

test("the first agent writes a field of each kind", async () => {
  const call = sessionOf(await agentOf("task"));
  await call("rename", "ship it");
  await call("tag", "soon");
  await call("tag", "soon");
  assert.equal(await call("work", 3), 3);
  await call("assign", "ann");
  await call("note", "go");
  await call("finish");
  assert.deepEqual(await call("get"), { title: "ship it", tags: ["soon"], done: true, hours: 3 });
  assert.deepEqual(await call("people"), { ann: 5 });
  assert.equal(await call("notes"), "go\n");
  assert.deepEqual(await call("latest"), ["finished by ann"]);
  for (const step of ["build", "test"]) await call("plan", step);
  await call("first", 1);
  assert.deepEqual(await call("steps"), ["test", "build"]);
});

test("the chat reads its newest messages, those before a place, and forgets one", async () => {
  const call = sessionOf(await agentOf("chat"));
  const message = (place: number) => ({ from: "ann", text: `message ${place}` });
  for (let place = 0; place < 30; place += 1) assert.equal(await call("say", message(place)), place);
  assert.deepEqual(
    await call("latest"),
    Array.from({ length: 20 }, (_, i) => message(10 + i)),
  );
  assert.equal(await call("forget", 1), true);
  assert.deepEqual(await call("before", 3), [
    [0, message(0)],
    [2, message(2)],
  ]);
});

test("the second agent checks inputs and gives handlers options", async () => {
  const agent = await agentOf("shelf");
  const call = sessionOf(agent);
  assert.equal(await call("put", { sku: "tea", count: 2 }), 2);
  assert.equal(await call("take", { sku: "tea", count: 1 }), 1);
  assert.equal(await call("count"), 1);
  await assert.rejects(call("put", { sku: "tea", count: 0 }), { reason: "invalid_input" });
  assert.deepEqual(
    definitionOf(agent).methods.map(({ name, mode, access, onBusy }) => [name, mode, access, onBusy]),
    [
      ["get", "readonly", undefined, undefined],
      ["relabel", "handler", undefined, undefined],
      ["put", "handler", undefined, undefined],
      ["take", "handler", undefined, "reject"],
      ["count", "readonly", "internal", undefined],
    ],
  );
});

test("the tables have every kind of field, and every option of an agent and of a handler", () => {
  const ofAgent: Record<keyof AgentOptions, true> = {
    idle: true,
    maxTurn: true,
    maxQueue: true,
    dedupe: true,
    place: true,
  };
  const ofHandler: Record<keyof HandlerOptions, true> = {
    input: true,
    timeout: true,
    access: true,
    description: true,
    onBusy: true,
    readonly: true,
  };
  const rows = [...read(page).matchAll(/^\| `(?:s\.)?(\w+)/gm)].map(([, name = ""]) => name);
  const wanted = [...fieldKindNames, ...Object.keys(ofAgent), ...Object.keys(ofHandler)];
  assert.deepEqual(
    wanted.filter((name) => !rows.includes(name)),
    [],
  );
});

test("the list of what a handler gets is that of the code", () => {
  const none = (): never => assert.fail("nothing is done");
  const host = {
    log: none,
    named: none,
    ask: none,
    send: none,
    run: none,
    draws: none,
    gather: none,
    nowMs: none,
    workflows: none,
  };
  const options = { key: "k", state: {}, caller: "anonymous", chain: [], abort: new Abort() };
  const context = new Context({ ...options, host, turn: undefined });
  const getters = Object.getOwnPropertyNames(Context.prototype).filter((name) => name !== "constructor");
  const [, list = ""] = /`ctx` has `([^`]+)`/.exec(read("sdk/README.md")) ?? [];
  assert.deepEqual(list.split(/,\s+/).toSorted(), [...Object.keys(context), ...getters].toSorted());
});

test("the page shows the example's cart as it is", () => {
  assert.ok(blocksOf(page).some(({ text }) => text === read("examples/cart/cart.ts")));
});
