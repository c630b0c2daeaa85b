// Topics in a mesh of this process.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { CalledAgent } from "./agent-types.ts";
import { agent, s, topic, topicMessageBytesMax, VodaError } from "./index.ts";
import type { Json } from "./json.ts";
import { testMesh } from "./testing.ts";

const news = topic<"news", number | string>("news");

const reader = agent("reader", { heard: s.register<readonly (number | string)[]>([]) })
  .on(news, (ctx, message) => {
    ctx.state.heard = [...ctx.state.heard, message];
  })
  .readonly({ heard: (ctx) => ctx.state.heard })
  .handlers({
    follow: (ctx, about: string) => ctx.send(news, about).subscribe(),
    leave: (ctx, about: string) => ctx.send(news, about).unsubscribe(),
  });

const names = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `r${i}`);

test("each message reaches each subscriber once and in order, over pages and deaths of the node", async () => {
  await using mesh = await testMesh({ agents: [news, reader] });
  const { publish, subscribers } = mesh.client.news("eu");
  assert.equal(await publish("nobody hears it"), 0);
  const all = names(150);
  for (const name of all) await mesh.client.reader(name).follow("eu");
  await mesh.settle();
  assert.equal(await subscribers(), 150);
  for (const n of [1, 2, 3]) assert.equal(await publish(n), 150);
  mesh.kill();
  await mesh.settle();
  await mesh.client.reader("r0").leave("eu");
  await mesh.settle();
  assert.equal(await publish(4), 149);
  await mesh.settle();
  for (const name of all.slice(1)) assert.deepEqual(mesh.state(reader, name), { heard: [1, 2, 3, 4] }, name);
  assert.deepEqual(await mesh.client.reader("r0").heard(), [1, 2, 3]);
  assert.equal(mesh.state(news, "eu").backlogBytes, 0);
  assert.deepEqual(mesh.deadLetters, []);
});

test("a publish without a message is refused, whether or not anybody has subscribed", async () => {
  await using mesh = await testMesh({ agents: [news, reader] });
  const { publish } = mesh.client.news("europe");
  const nothing = (): Promise<unknown> => Reflect.apply(publish, undefined, []);
  const refused = { reason: "bad_request", message: /news\/europe needs a message/ };
  await assert.rejects(nothing(), refused);
  await mesh.client.reader("ann").follow("europe");
  await mesh.settle();
  await assert.rejects(nothing(), refused);
});

test("a message that cannot be kept is refused in words, whether or not anybody has subscribed", async () => {
  const loose = topic("loose");
  const fan = agent("fan", { heard: s.counter() })
    .on(loose, (ctx) => void ctx.state.heard.add(1))
    .handlers({ follow: (ctx) => ctx.send(loose, "k").subscribe() });
  await using mesh = await testMesh({ agents: [loose, fan] });
  const { publish } = mesh.client.loose("k");
  const nested = (levels: number): Json => (levels === 0 ? 1 : [nested(levels - 1)]);
  for (const subscribers of [0, 1]) {
    const refused = async (message: Json, words: RegExp): Promise<void> => {
      const matches = (error: VodaError) =>
        error.reason === "bad_request" && (assert.match(error.message, words), true);
      await assert.rejects(publish(message), matches);
    };
    await refused("\ud800", /^publish of loose\/k: the message has half a character: a surrogate without/);
    await refused({ a: ["\ud800"] }, /^publish of loose\/k: the message\.a\[0\] has half a character/);
    await refused(nested(64), /^publish of loose\/k: the message\[0\].* nested deeper than keptDepthMax 63$/);
    assert.equal(await publish(nested(63)), subscribers);
    await mesh.settle();
    await mesh.client.fan("f").follow();
    await mesh.settle();
  }
  assert.equal(mesh.state(fan, "f").heard, 1);
  assert.deepEqual(mesh.deadLetters, []);
});

test("who subscribes hears what is published from then on, also who leaves and comes again", async () => {
  await using mesh = await testMesh({ agents: [news, reader] });
  const { publish } = mesh.client.news("eu");
  const { follow, leave, heard } = mesh.client.reader("ann");
  await follow("eu");
  await follow("eu");
  await mesh.settle();
  await publish("one");
  await leave("eu");
  await follow("eu");
  await mesh.settle();
  await publish("two");
  await mesh.settle();
  const all = await heard();
  assert.deepEqual(all.slice(-1), ["two"]);
  assert.equal(all.length, new Set(all).size);
});

test("an agent that does not hear costs a dead letter, and its neighbours nothing", async () => {
  const deaf = agent("deaf").handlers({ follow: (ctx) => ctx.send(news, "eu").subscribe() });
  await using mesh = await testMesh({ agents: [news, reader, deaf] });
  await mesh.client.deaf("d").follow();
  await mesh.settle();
  await mesh.client.reader("ann").follow("eu");
  await mesh.settle();
  assert.equal(await mesh.client.news("eu").publish("hello"), 2);
  await mesh.settle();
  assert.deepEqual(await mesh.client.reader("ann").heard(), ["hello"]);
  assert.equal(mesh.deadLetters.length, 1);
  assert.match(JSON.stringify(mesh.deadLetters), /agent deaf has no method .*on_news/);
});

test("steps of a topic are taken from itself alone: what others send is not passed on", async () => {
  interface Steps {
    readonly page: (ctx: never, passing: object) => void;
    readonly look: (ctx: never) => void;
  }
  const liar = agent("liar").handlers({
    lie(ctx) {
      const inside = { name: "news" } as CalledAgent<Steps>;
      ctx.send(inside, "eu").page({ n: 1, message: "nobody has published this", page: 0 });
      ctx.send(inside, "eu").look();
    },
  });
  await using mesh = await testMesh({ agents: [news, reader, liar] });
  await mesh.client.reader("ann").follow("eu");
  await mesh.settle();
  await mesh.client.liar("l").lie();
  await mesh.advance("10m");
  assert.deepEqual(await mesh.client.reader("ann").heard(), []);
  assert.match(JSON.stringify(mesh.deadLetters), /only the topic itself sends this/);
});

test("what finds no room in the outbox goes on when there is some, however long that takes", async () => {
  const gate = Promise.withResolvers<void>();
  const full = agent("full", { heard: s.register("") }, { maxTurn: "1h", maxQueue: 1 })
    .on(news, (ctx, message) => {
      ctx.state.heard += String(message).slice(0, 1);
    })
    .handlers({ follow: (ctx) => ctx.send(news, "eu").subscribe(), fill: () => gate.promise });
  await using mesh = await testMesh({ agents: [news, full] });
  const all = names(130);
  for (const name of all) await mesh.client.full(name).follow();
  await mesh.settle();
  const filled = all.flatMap((name) =>
    [1, 2].map(() => mesh.client.full(name).$with({ timeout: "1h" }).fill()),
  );
  await mesh.settle();
  const { publish } = mesh.client.news("eu");
  const long = (first: number): string => String(first).padEnd(topicMessageBytesMax - 2, "x");
  for (let n = 1; n <= 9; n += 1) assert.equal(await publish(long(n)), 130);
  await mesh.advance("20m");
  gate.resolve();
  await Promise.all(filled);
  await mesh.advance("1m");
  assert.equal(mesh.state(news, "eu").backlogBytes, 0);
  for (const name of all) assert.equal(mesh.state(full, name).heard, "123456789", name);
  assert.deepEqual(mesh.deadLetters, []);
});

interface Title {
  readonly title: string;
}
const titled: StandardSchemaV1<Title> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) =>
      typeof value === "object" && value !== null && "title" in value
        ? { value: { title: String(value.title) } }
        : { issues: [{ message: "it has no title" }] },
  },
};

test("a message has a schema and a size, and more than can be passed on is refused", async () => {
  const titles = topic("titles", { input: titled });
  const shelf = agent("shelf", { titles: s.map<true>() })
    .on(titles, (ctx, { title }) => ctx.state.titles.set(title.slice(0, 5), true))
    .handlers({ follow: (ctx) => ctx.send(titles, "all").subscribe() });
  await using mesh = await testMesh({ agents: [titles, shelf] });
  const { publish } = mesh.client.titles("all");
  await mesh.client.shelf("a").follow();
  await mesh.settle();
  await assert.rejects(publish({ titel: "x" } as never), { reason: "invalid_input" });
  const long = { title: "x".repeat(topicMessageBytesMax) };
  await assert.rejects(publish(long), { reason: "too_large", message: /topicMessageBytesMax 15000/ });
  const sent = await Promise.allSettled(names(40).map((title) => publish({ title: title.repeat(4_000) })));
  mesh.kill();
  const refused = sent.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  for (const error of refused) assert.ok(VodaError.is(error) && error.reason === "queue_full", String(error));
  assert.ok(refused.length > 0);
  await mesh.settle();
  assert.equal(Object.keys(mesh.state(shelf, "a").titles).length, 40 - refused.length);
});

test("what is no topic, or is heard twice, is refused", () => {
  const untyped = (value: unknown): never => value as never;
  assert.throws(
    () => agent("a").on(untyped(reader), () => null),
    /agent a: on\(\.\.\.\) takes a topic first/,
  );
  assert.throws(() => topic("news", untyped({ schema: 1 })), /option "schema" is unknown/);
  assert.throws(() => reader.on(news, () => null), /handler "on_news" already/);
});
