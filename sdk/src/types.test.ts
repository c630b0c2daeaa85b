// What must not compile, and what must be inferred. The compiler is the test: a misuse that compiles leaves
// an unused @ts-expect-error.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message } from "@bufbuild/protobuf";
import type { GenMessage, GenService } from "@bufbuild/protobuf/codegenv2";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { AgentService } from "@voda/proto/api";
import { createClient } from "./client.ts";
import { defineConfig } from "./config.ts";
import { agent, s, VodaError } from "./index.ts";

interface Profile {
  name: string;
  tags: string[];
  address?: { city: string };
}

const profileAgent = agent("profile", {
  profile: s.register<Profile>({ name: "", tags: [] }),
  status: s.register<"new" | "done">("new"),
  count: s.counter(),
  scores: s.map<number>(),
  notes: s.text(),
})
  .readonly({
    profile: (ctx) => ctx.state.profile,
    score: (ctx, name: string) => ctx.state.scores.get(name),
  })
  .handlers({
    rename(ctx, name: string) {
      ctx.state.profile = { ...ctx.state.profile, name };
    },
    add: (ctx, by?: number) => ctx.state.count.add(by),
    async put(ctx, entry: { name: string; score: number }) {
      ctx.state.scores.set(entry.name, entry.score);
      return ctx.state.scores.size;
    },
  });
const whole = profileAgent.readonly({
  state: (ctx) => ctx.state,
  spread: (ctx) => ({ ...ctx.state, more: [ctx.state.scores] }),
  handle: (ctx) => ctx.state.count,
  tree: (): Tree => ({ name: "", children: [] }),
});
interface Tree {
  name: string;
  children: Tree[];
}
const rpcAgent = agent("rpc").implements(AgentService, {
  deployAgents: (_ctx, request) => ({ agents: request.agents }),
  getAgent: async () => ({ agent: { name: "a" } }),
  listAgents: () => ({}),
  undeployAgent: () => ({}),
});
const config = defineConfig({ agents: [profileAgent, rpcAgent] });

type Any<A> = 0 extends 1 & A ? true : false;
type Same<A, B> = Any<A> extends true ? false : [A, B] extends [B, A] ? true : false;
type Answer<F extends (...args: never[]) => unknown> = Awaited<ReturnType<F>>;

function infers(): readonly true[] {
  const voda = createClient<typeof config>({ url: "http://127.0.0.1:1" });
  const session = voda.profile("p");
  const agents: Same<keyof typeof voda, "profile" | "rpc"> = true;
  const numbers: Same<Answer<typeof session.put>, number> = true;
  const nothing: Same<Answer<typeof session.rename>, undefined> = true;
  const maybe: Same<Answer<typeof session.score>, number | undefined> = true;
  const optional: Same<Parameters<typeof session.add>, [by?: number | undefined]> = true;
  const input: Same<Parameters<typeof session.put>, [entry: { name: string; score: number }]> = true;
  const without: Same<Parameters<typeof session.profile>, []> = true;
  const same: Same<ReturnType<typeof session.$with>, typeof session> = true;
  const sent = createClient<{ readonly agents: readonly [typeof whole] }>({
    url: "http://127.0.0.1:1",
  }).profile("p");
  const state: Answer<typeof sent.state> extends {
    count: number;
    notes: string;
    scores: { [key: string]: number };
  }
    ? true
    : false = true;
  const spread: Same<Answer<typeof sent.spread>["more"][number], { readonly [key: string]: number }> = true;
  const handle: Same<Answer<typeof sent.handle>, number> = true;
  const tree: Same<Answer<typeof sent.tree>, Tree> = true;
  return [state, spread, handle, tree, agents, numbers, nothing, maybe, optional, input, without, same];
}

interface Order {
  sku: string;
  count: number;
}
declare const orderSchema: StandardSchemaV1<{ sku: string; count?: number }, Order>;
declare const optionalSchema: StandardSchemaV1<number | undefined, number>;

function infersChecked(): readonly true[] {
  const shop = agent("shop", { sold: s.counter() })
    .handler("buy", { input: orderSchema }, (ctx, order) => {
      const count: Same<typeof order, Order> = true;
      return { count, left: ctx.state.sold.add(order.count) };
    })
    .handler("later", { input: optionalSchema, timeout: "1s" }, async (_ctx, by) => by)
    .handler("free", { description: "unchecked" }, (_ctx, by: number) => by)
    .handler("hidden", { access: "internal", input: orderSchema }, () => null)
    .handler("has", { readonly: true, input: orderSchema }, (ctx, { count }) => ctx.state.sold.value >= count)
    .handler("left", { readonly: true }, (ctx, of: number) => of - ctx.state.sold.value)
    .handlers({ more: () => 1 });
  const session = createClient<{ readonly agents: readonly [typeof shop] }>({
    url: "http://127.0.0.1:1",
  }).shop("s");
  const names: Same<keyof typeof session, "buy" | "later" | "free" | "has" | "left" | "more" | "$with"> =
    true;
  const sends: Same<Parameters<typeof session.buy>, [input: { sku: string; count?: number }]> = true;
  const optional: Same<Parameters<typeof session.later>, [input?: number | undefined]> = true;
  const unchecked: Same<Parameters<typeof session.free>, [by: number]> = true;
  const answer: Same<Answer<typeof session.buy>, { count: true; left: number }> = true;
  const later: Same<Answer<typeof session.later>, number> = true;
  const has: Same<Answer<typeof session.has>, boolean> = true;
  const left: Same<Parameters<typeof session.left>, [of: number]> = true;
  return [names, sends, optional, unchecked, answer, later, has, left];
}

function asks(): void {
  const bank = agent("bank", { sum: s.counter() })
    .readonly({ sum: (ctx) => ctx.state.sum.value })
    .handler("hidden", { access: "internal", input: orderSchema }, (_ctx, { count }) => ({ count }));
  agent("asker")
    .readonly({ sum: (ctx) => ctx.ask(bank, "b").sum() })
    .handlers({
      async all(ctx) {
        const hidden = await ctx.ask(bank, "b", { timeout: "1s" }).hidden({ sku: "a" });
        const inferred: Same<typeof hidden, { count: number }> = true;
        const by: Same<typeof ctx.caller.agent, { readonly name: string; readonly key: string } | undefined> =
          true;
        const gathered = await ctx.gather([
          ctx.ask(bank, "b").sum(),
          ctx.ask(bank, "b").hidden({ sku: "a" }),
        ]);
        const either: Same<(typeof gathered.ok)[number], number | { count: number }> = true;
        return inferred && by && either;
      },
      async some(ctx) {
        const asked = ["a", "b"].map((key) => ctx.ask(bank, key).sum());
        const { ok, failed, late } = await ctx.gather(asked, { min: 1, timeout: "1s" });
        const found: Same<[typeof ok, typeof failed, typeof late], [number[], VodaError[], number]> = true;
        return found;
      },
      // @ts-expect-error no such option of a gathering
      most: (ctx) => ctx.gather([ctx.ask(bank, "b").sum()], { max: 1 }),
      // @ts-expect-error what is gathered are calls
      values: (ctx) => ctx.gather([1]),
      // @ts-expect-error no such handler
      none: (ctx) => ctx.ask(bank, "b").missing(),
      // @ts-expect-error what the schema does not take
      wrong: (ctx) => ctx.ask(bank, "b").hidden({ sku: 1 }),
      // @ts-expect-error no such option
      option: (ctx) => ctx.ask(bank, "b", { ack: "durable" }).sum(),
      // @ts-expect-error not an agent
      agent: (ctx) => void ctx.ask("bank", "b"),
      // @ts-expect-error a method is missing: an ask,
      asks: (ctx) => ctx.ask(bank, "b"),
      // @ts-expect-error a message
      sends: (ctx) => ctx.send(bank, "b"),
      // @ts-expect-error a timer
      schedules: async (ctx) => ({ at: [ctx.schedule(bank, "b", { in: "1s" })] }),
    });
}

function typesSteps(): void {
  agent("till", { paid: s.register("") })
    .readonly({
      // @ts-expect-error a readonly handler does nothing outside
      none: (ctx) => ctx.run("a", () => null),
    })
    .handlers({
      async pay(ctx) {
        const receipt = await ctx.run("charge", async ({ idempotencyKey, signal }) => {
          signal.throwIfAborted();
          return { id: idempotencyKey };
        });
        ctx.state.paid = receipt.id;
        const order = await ctx.run("read", () => JSON.parse("{}") as unknown, { schema: orderSchema });
        ctx.state.paid = order.sku;
        // @ts-expect-error no such option
        await ctx.run("b", () => null, { attempts: 2 });
        // @ts-expect-error a name comes first
        await ctx.run(() => null);
        // @ts-expect-error a date is not JSON: it would be found when the step is done
        await ctx.run("c", () => new Date());
        // @ts-expect-error nor is an answer of fetch
        await ctx.run("d", () => fetch("http://pay"));
        // @ts-expect-error nor is a map within, with a schema
        await ctx.run("e", async () => ({ all: new Map() }), { schema: orderSchema });
        await ctx.run("f", async () => (await fetch("http://pay")).json() as Promise<{ id: string }>);
        await ctx.run("g", async () => void (await fetch("http://pay")));
        return receipt.id;
      },
    });
}

function refusesWrongChecked(): void {
  const shop = agent("shop", { sold: s.counter() }).handler("buy", { input: orderSchema }, () => null);
  // @ts-expect-error a name that is taken
  shop.handler("buy", {}, () => 1);
  // @ts-expect-error a readonly handler cannot write
  shop.handler("other", { readonly: true }, (ctx) => ctx.state.sold.add(1));
  // @ts-expect-error nor with a schema
  shop.handler("other", { readonly: true, input: orderSchema }, (ctx) => ctx.state.sold.add(1));
  // @ts-expect-error no such option
  shop.handler("other", { inputs: orderSchema }, () => 1);
  // @ts-expect-error not implemented
  shop.handler("other", { onBusy: "interrupt" }, () => 1);
  // @ts-expect-error the handler takes what its schema returns
  shop.handler("other", { input: orderSchema }, (_ctx, order: { sku: number }) => order.sku);
  // @ts-expect-error a date is not JSON
  shop.handler("other", { input: orderSchema }, () => new Date());
  // @ts-expect-error nor is one without a schema
  shop.handler("other", {}, async () => new Date());
  const { shop: of } = createClient<{ readonly agents: readonly [typeof shop] }>({
    url: "http://127.0.0.1:1",
  });
  // @ts-expect-error what the schema does not take
  void of("s").buy({ sku: 1 });
  // @ts-expect-error a missing input
  void of("s").buy();
}

function refusesWrongState(): void {
  profileAgent.handlers({
    // @ts-expect-error a register is deeply read-only: what is assigned inside would be lost
    deep: (ctx) => void (ctx.state.profile.name = "x"),
    // @ts-expect-error arrays of a register too
    push: (ctx) => ctx.state.profile.tags.push("x"),
    // @ts-expect-error a counter is added to, not assigned
    assign: (ctx) => void (ctx.state.count = 1),
    // @ts-expect-error the type of the register
    status: (ctx) => void (ctx.state.status = "other"),
    // @ts-expect-error the type of the map's values
    mapped: (ctx) => ctx.state.scores.set("a", "b"),
    // The error at the name is the only one: what it would answer is not known, so nobody talks of JSON.
    field: (ctx) =>
      // @ts-expect-error no such field
      ctx.state.missing,
    within: async (ctx) => ({
      // @ts-expect-error no such field
      list: [ctx.state.missing],
    }),
    // @ts-expect-error the context has nothing that was left out
    more: (ctx) => ctx.send,
  });
  profileAgent.readonly({
    // @ts-expect-error a readonly handler cannot assign a register
    write: (ctx) => void (ctx.state.status = "done"),
    // @ts-expect-error nor add to a counter
    count: (ctx) => ctx.state.count.add(1),
    // @ts-expect-error nor set in a map
    set: (ctx) => ctx.state.scores.set("a", 1),
    // @ts-expect-error nor edit a text
    edit: (ctx) => ctx.state.notes.append("x"),
  });
}

function refusesWrongHandlers(): void {
  // @ts-expect-error one input only
  profileAgent.handlers({ two: (_ctx, _a: number, _b: number) => 1 });
  // @ts-expect-error a stream is not an answer
  profileAgent.handlers({ stream: async function* () {} });
  // @ts-expect-error a big integer is not JSON
  profileAgent.handlers({ big: () => 1n });
  // @ts-expect-error nor is a date
  profileAgent.handlers({ date: () => new Date() });
  // @ts-expect-error nor a map
  profileAgent.handlers({ map: async () => new Map() });
  // @ts-expect-error nor a function
  profileAgent.readonly({ fn: () => () => 1 });
  // @ts-expect-error nor is a date inside an answer
  profileAgent.handlers({ inside: () => ({ list: [{ at: new Date() }] }) });
  // @ts-expect-error nor are bytes, whatever the handler's form
  profileAgent.readonly({ bytes: async () => ({ data: new Uint8Array(1) }) });
  // @ts-expect-error a field of dates
  agent("x", { at: s.register<Date>(new Date()) });
  // @ts-expect-error a field whose values hold one
  agent("x", { at: s.map<{ when: Date }>() });
  // @ts-expect-error entries that hold one
  agent("x", { at: s.log<{ when: Date }>({ keep: 1 }) });
  // @ts-expect-error a list of dates
  agent("x", { steps: s.list<Date>() });
  // @ts-expect-error a set of lists
  agent("x", { tags: s.set<string[]>() });
  // @ts-expect-error not a value of this set
  agent("x", { tags: s.set<"a" | "b">() }).handlers({ add: (ctx) => ctx.state.tags.add("c") });
  // @ts-expect-error no such option
  agent("x", { chat: s.log<string>({ kept: 1 }) });
  agent("x", { chat: s.log<string>() })
    // @ts-expect-error a reader does not append
    .readonly({ say: (ctx, text: string) => ctx.state.chat.append(text) })
    // @ts-expect-error nor is a number a text
    .handlers({ count: (ctx) => ctx.state.chat.append(1) });
  // @ts-expect-error a name that another block has
  profileAgent.handlers({ score: () => 1 });
  // @ts-expect-error not a field
  agent("x", { count: 0 });
  // @ts-expect-error no such option
  agent("x", {}, { idel: "5m" });
  // @ts-expect-error not a duration
  agent("x", {}, { idle: "5 minutes" });
  // @ts-expect-error no such code
  void new VodaError("missing", "x");
  // @ts-expect-error not an agent
  defineConfig({ agents: [{ name: "x" }] });
  // @ts-expect-error no such key
  defineConfig({ agents: [profileAgent], listen: 1 });
}

type Empty = Message<"test.Empty">;
interface Unary {
  methodKind: "unary";
  input: GenMessage<Empty>;
  output: GenMessage<Empty>;
}
interface Watching {
  get: Unary;
  watch: Omit<Unary, "methodKind"> & { methodKind: "server_streaming" };
}

/** What follows on a block with an error has none itself. */
function onlyOneError(): void {
  profileAgent
    // @ts-expect-error a misspelt field
    .handlers({ typo: (ctx) => ctx.state.missing.deeper })
    .handler("order", {}, () => 1)
    .handlers({ more: () => 1 });
  // @ts-expect-error an error is not JSON
  profileAgent.handlers({ failed: () => ({ failed: [new VodaError("aborted", "m")] }) });
}

function refusesWrongServices(streaming: GenService<{ [K in keyof Watching]: Watching[K] }>): void {
  const impl = {
    deployAgents: () => ({}),
    getAgent: () => ({}),
    listAgents: () => ({}),
    undeployAgent: () => ({}),
  };
  // @ts-expect-error "an agent implements unary methods only; watch streams"
  agent("x").implements(streaming, { get: () => ({}), watch: undefined as never });
  // @ts-expect-error a missing rpc
  agent("x").implements(AgentService, {
    getAgent: () => ({}),
    listAgents: () => ({}),
    undeployAgent: () => ({}),
  });
  // @ts-expect-error no such rpc
  agent("x").implements(AgentService, { ...impl, other: () => ({}) });
  // @ts-expect-error the wrong type of a field of the answer
  agent("x").implements(AgentService, { ...impl, getAgent: () => ({ agent: { name: 1 } }) });
  agent("x").implements(AgentService, {
    ...impl,
    // @ts-expect-error no such field in the request
    getAgent: (_ctx, request) => ({ agent: { name: request.nome } }),
  });
}

function refusesWrongCalls(): void {
  const voda = createClient<typeof config>({ url: "http://127.0.0.1:1" });
  // @ts-expect-error no such agent
  void voda.nobody("a");
  // @ts-expect-error no such handler
  void voda.profile("a").subtract(1);
  // @ts-expect-error the wrong type of input
  void voda.profile("a").add("1");
  // @ts-expect-error a missing input
  void voda.profile("a").put();
  // @ts-expect-error an input too many
  void voda.profile("a").profile(1);
  // @ts-expect-error methods of a protobuf service are called by its generated clients
  void voda.rpc("a").getAgent({});
  // @ts-expect-error a promise is not its value
  const count: number = voda.profile("a").add(1);
  // @ts-expect-error no such option
  voda.profile("a").$with({ ack: "durable" });
  // @ts-expect-error a key is a string
  void voda.profile(count);
}

test("misuse does not compile and what follows is inferred", () => {
  const checks = [
    infers,
    infersChecked,
    refusesWrongChecked,
    typesSteps,
    asks,
    refusesWrongState,
    refusesWrongHandlers,
    onlyOneError,
    refusesWrongServices,
    refusesWrongCalls,
  ];
  assert.equal(checks.length, 10);
});
