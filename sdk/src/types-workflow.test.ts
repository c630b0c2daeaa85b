// What must not compile of workflows and topics, and what must be inferred; types.test.ts has the rest.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { createClient } from "./client.ts";
import { agent, type Json, type Signal, s, signal, type TopicOptions, topic } from "./index.ts";

declare const orderSchema: StandardSchemaV1<{ sku: string }, { sku: string; count: number }>;
declare const dateSchema: StandardSchemaV1<string, Date>;

const bare = signal("bare");
const approved = signal<{ by: string }>("approved");
const maybe = signal<string | undefined>("maybe");

const shop = agent("shop", { paid: s.register("") }).workflows({
  async sell(wf, { cents }: { cents: number }) {
    const { by } = await wf.wait(approved);
    const inTime: Promise<{ by: string }> = wf.wait(approved, { timeout: "1d" });
    await inTime;
    const order = await wf.run("read", () => JSON.parse("{}") as unknown, { schema: orderSchema });
    const count: number = order.count;
    return { by, cents, count };
  },
});

function steps(): void {
  agent("till").workflows({
    async pay(wf) {
      // @ts-expect-error a date is not JSON: it would be found when the step is done
      await wf.run("a", () => new Date());
      // @ts-expect-error nor is an answer of fetch
      await wf.run("b", () => fetch("http://pay"));
      // @ts-expect-error nor is a map within, with a schema
      await wf.run("c", async () => ({ all: new Map() }), { schema: orderSchema });
      // @ts-expect-error nor in a turn
      await wf.tx("d", () => new Date());
      await wf.run("e", async () => void (await fetch("http://pay")), { undo: () => new Map() });
      // @ts-expect-error no such option
      await wf.run("f", () => 1, { attempts: 2 });
      // @ts-expect-error no such option
      await wf.wait(bare, { timeuot: "1s" });
      // @ts-expect-error not a signal
      await wf.wait("bare");
    },
  });
}

function signals(): void {
  shop.handlers({
    all(ctx) {
      ctx.notify("x", bare);
      ctx.notify("x", approved, { by: "ann" });
      ctx.notify("x", maybe);
      ctx.notify("x", maybe, "yes");
      // @ts-expect-error a signal without data
      ctx.notify("x", bare, { by: "ann" });
      // @ts-expect-error a signal with data
      ctx.notify("x", approved);
      // @ts-expect-error of another type
      ctx.notify("x", approved, { by: 1 });
      // @ts-expect-error an id comes first
      ctx.notify(approved, { by: "ann" });
    },
  });
  // @ts-expect-error a date is not JSON: said where it stands
  const at = signal<Date>("at");
  shop.handlers({ late: (ctx) => ctx.notify("x", at, new Date()) });
}

function inputs(): void {
  // @ts-expect-error a date is not JSON: nobody could start it
  agent("x").workflows({ at: async (_wf, _when: Date) => null });
  // @ts-expect-error nor is one within
  agent("x").workflows({ at: async (_wf, _input: { when: Date }) => null });
  // @ts-expect-error nor is it an input of a handler
  agent("x").handlers({ at: (_ctx, _when: Date) => null });
  // @ts-expect-error nor of a readonly one
  agent("x").readonly({ at: (_ctx, _when: Date) => null });
  // @ts-expect-error nor of one with options
  agent("x").handler("at", {}, (_ctx, _when: Date) => null);
  // @ts-expect-error nor what a workflow returns
  agent("x").workflows({ at: async () => new Date() });
  // @ts-expect-error no such option
  agent("x").workflows({}, { acess: "public" });
  // @ts-expect-error no such access
  agent("x").workflows({}, { access: "private" });
  // @ts-expect-error options stand at the first block
  agent("x").workflows({}).workflows({}, { access: "public" });
}

/** One workflow that is refused is one error: what starts it and all others has none. */
function onlyOneError(): void {
  const both = agent("both")
    .workflows(
      {
        good: async (_wf, _input: { n: number }) => 1,
        // @ts-expect-error a date is not JSON
        bad: async () => new Date(),
      },
      { access: "public" },
    )
    .handlers({
      start: (ctx) => ctx.start.good({ n: 1 }).id,
      other: (ctx) => ctx.start.bad().id,
    });
  const session = createClient<{ readonly agents: readonly [typeof both] }>({
    url: "http://127.0.0.1:1",
  }).both("b");
  void session.$workflows.good.start({ n: 1 });
  void session.$workflows.good.get("g").result();
  agent("later")
    .workflows({
      // @ts-expect-error a misspelt field
      typo: async (wf) => wf.tx("a", (state) => state.missing),
      good: async (_wf, _input: { n: number }) => 1,
    })
    .handlers({ start: (ctx) => ctx.start.good({ n: 1 }).id });
}

function clients(): void {
  const open = agent("open").workflows({ work: async (_wf, n: number) => n }, { access: "public" });
  const hidden = agent("hidden").workflows({ work: async (_wf, n: number) => n }, { access: "internal" });
  const voda = createClient<{ readonly agents: readonly [typeof shop, typeof open, typeof hidden] }>({
    url: "http://127.0.0.1:1",
  });
  const number: Promise<number> = voda.open("o").$workflows.work.get("w").result();
  void number;
  void voda.open("o").$workflows.work.get("w").signal(approved, { by: "ann" });
  // @ts-expect-error a signal without data
  void voda.open("o").$workflows.work.get("w").signal(bare, 1);
  // @ts-expect-error the wrong type of input
  void voda.open("o").$workflows.work.start("1");
  void voda.shop("s").$workflows.sell.get("w").result();
  // @ts-expect-error clients may look at it, and no more
  void voda.shop("s").$workflows.sell.start({ cents: 1 });
  // @ts-expect-error nor cancel it
  void voda.shop("s").$workflows.sell.get("w").cancel();
  // @ts-expect-error nor call what does
  void voda.shop("s").startWorkflow({ workflow: "sell" });
  // @ts-expect-error clients do not reach it
  void voda.hidden("h").$workflows;
}

function topics(): void {
  const hidden = topic("hidden", { access: "internal" });
  const checked = topic("checked", { access: "internal", input: orderSchema });
  const open = topic<"open", { title: string }>("open");
  const quiet = topic<"quiet", { title: string }>("quiet", { access: "internal", description: "d" });
  const voda = createClient<{
    readonly agents: readonly [typeof hidden, typeof checked, typeof open, typeof quiet];
  }>({ url: "http://127.0.0.1:1" });
  void voda.open("o").publish({ title: "x" });
  void voda.hidden("h").subscribers();
  // @ts-expect-error clients do not publish
  void voda.hidden("h").publish(1);
  // @ts-expect-error nor with a schema
  void voda.checked("h").publish({ sku: "a" });
  // @ts-expect-error nor with a type
  void voda.quiet("h").publish({ title: "a" });
  // @ts-expect-error the wrong type
  void voda.open("o").publish({ title: 1 });
  agent("ear")
    .on(open, (_ctx, { title }) => void title.length)
    .on(checked, (_ctx, { count }) => void count.toFixed());
  // @ts-expect-error a date is not JSON: said where it stands
  const dates = topic<"dates", Date>("dates");
  // @ts-expect-error nor for agents alone
  topic<"dates", Date>("dates", { access: "internal" });
  // @ts-expect-error nor is it when a schema makes it
  const made = topic("made", { input: dateSchema });
  agent("ear")
    .on(dates, () => null)
    .on(made, () => null);
  // @ts-expect-error no such option
  topic("x", { inputs: orderSchema });
  // @ts-expect-error not an option of topics
  topic("x", { timeout: "1s" });
}

/** Helpers of authors: what is JSON is decided where they are used. */
function generics(isOpen: boolean, unknown: TopicOptions): void {
  const signalOf = <X extends { readonly id: string }>(name: string): Signal<X> => signal<X>(name);
  const topicOf = <N extends string, X extends Json>(name: N) => topic<N, X>(name);
  const hiddenOf = <N extends string, X>(name: N) => topic<N, X>(name, { access: "internal" });
  const either = topic("either", { access: isOpen ? "public" : "internal" });
  const typed = topic<"typed", { title: string }>("typed", { access: isOpen ? "public" : "internal" });
  const news = topicOf<"news", { title: string }>("news");
  const paid = signalOf<{ id: string; cents: number }>("paid");
  agent("ear", {})
    .workflows({
      async pay(wf) {
        const { cents } = await wf.wait(paid);
        const again = <T>(value: T) => wf.run("again", () => value);
        return cents + (await again(1));
      },
    })
    .on(news, (_ctx, { title }) => void title.length)
    .on(typed, (_ctx, { title }) => void title.length)
    .on(hiddenOf<"hidden", number>("hidden"), (_ctx, n) => void n.toFixed())
    .handlers({
      pay: (ctx) => ctx.notify("x", paid, { id: "x", cents: 1 }),
      // @ts-expect-error a date is not JSON
      tell: (ctx) => ctx.send(either, "k").publish(new Date()),
    });
  // @ts-expect-error options that may have a schema do not say what messages are
  topic("unknown", unknown);
}

test("misuse of workflows and topics does not compile and what follows is inferred", () => {
  assert.equal([steps, signals, inputs, onlyOneError, clients, topics, generics].length, 7);
});
