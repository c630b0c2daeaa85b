// Letters of a topic to itself come between each other, and its outbox is full.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { TopicSession } from "../test/topic-session.ts";
import { agent, s, topic } from "./index.ts";
import { explore, type TestMesh } from "./testing.ts";

const readers = ["s0", "s1", "s2", "s3", "s4"];

function subscribed(room: number): TopicSession {
  const session = new TopicSession();
  for (const name of readers) session.subscribe(name);
  session.room = room;
  return session;
}

/** Everybody takes what there is, and the timer fires, until nothing is left. */
function settle(session: TopicSession): void {
  for (let round = 0; session.isBusy; round += 1) {
    assert.ok(round < 1_000, `it waits for ${session.dueOfItself.join()}`);
    for (let left = session.dueOfItself.length; left > 0; left -= 1) session.step();
    for (const name of readers) session.take(name);
    session.fire();
  }
}

function heardBy(messages: readonly string[]) {
  return new Map(readers.map((name) => [name, messages]));
}

test("a look that comes between a step and its page leaves the page to go on from its place", () => {
  const session = subscribed(6);
  session.publish("m");
  session.step("fires");
  assert.deepEqual(session.dueOfItself, ["look", "page", "step"]);
  settle(session);
  assert.deepEqual(session.heard, heardBy(["m"]));
});

test("a page that was given up goes to the rest of it alone, whoever has left since", () => {
  for (const leaver of readers) {
    const session = subscribed(5);
    session.publish("m");
    const reached: string[] = [];
    while (reached.length === 0 || session.dueOfItself[0] !== "page") {
      session.step();
      reached.push(...readers.filter((name) => session.take(name)));
    }
    session.giveUp();
    session.unsubscribe(leaver);
    settle(session);
    session.retry();
    settle(session);
    for (const name of readers) {
      const isGone = name === leaver && !reached.includes(name);
      assert.deepEqual(session.heard.get(name), isGone ? [] : ["m"], `${name}, of which ${leaver} has left`);
    }
  }
});

const acts = ["publish", "step", "step", "fires", "fire", "comes", "goes", ...readers] as const;

/** `rare` comes and goes. How many messages were published. */
function play(session: TopicSession, rare: string, all: readonly string[]): number {
  const acting: Readonly<Record<string, () => void>> = {
    step: () => session.step(),
    fires: () => session.step("fires"),
    fire: () => session.fire(),
    comes: () => session.subscribe(rare),
    goes: () => session.unsubscribe(rare),
    gives_up: () => session.giveUp(),
  };
  let published = 0;
  for (const act of all) {
    if (act === "publish") published += session.publish(String(published)) ? 1 : 0;
    else (acting[act] ?? (() => session.take(act)))();
  }
  settle(session);
  return published;
}

const rooms = fc.integer({ min: 6, max: 16 });
const rares = fc.constantFrom(...readers);
const playOf = (...more: readonly string[]) =>
  fc.array(fc.constantFrom<string>(...acts, ...more), { maxLength: 120, size: "max" });

test("each subscriber takes each message once and in order, whatever comes between what", () => {
  fc.assert(
    fc.property(rooms, rares, playOf(), (room, rare, all) => {
      const session = subscribed(room);
      const messages = Array.from({ length: play(session, rare, all) }, (_, n) => String(n));
      const heard = session.heard.get(rare) ?? [];
      assert.deepEqual(
        heard,
        messages.filter((one) => heard.includes(one)),
        "of what it was there for",
      );
      session.heard.set(rare, messages);
      assert.deepEqual(session.heard, heardBy(messages));
    }),
    { numRuns: 1_000 },
  );
});

test("what was given up and is sent again reaches nobody twice, and everybody who has stayed", () => {
  fc.assert(
    fc.property(rooms, rares, playOf("gives_up"), (room, rare, all) => {
      const session = subscribed(room);
      const published = play(session, rare, all);
      session.room = 1_000;
      session.retry();
      settle(session);
      for (const [name, heard] of session.heard) {
        assert.equal(new Set(heard).size, heard.length, `${name}: ${heard.join()}`);
        if (name !== rare) assert.equal(heard.length, published, `${name}: ${heard.join()}`);
      }
    }),
    { numRuns: 1_000 },
  );
});

const news = topic<"news", number>("news");
const reader = agent("reader", { heard: s.register<readonly number[]>([]) })
  .on(news, (ctx, message) => {
    ctx.state.heard = [...ctx.state.heard, message];
  })
  .handlers({ follow: (ctx) => ctx.send(news, "eu").subscribe() });

test("a node that dies at any step of it costs no message, and doubles none", async () => {
  const scenario = async (mesh: TestMesh<readonly [typeof news, typeof reader]>): Promise<void> => {
    for (const name of ["a", "b"]) await mesh.client.reader(name).follow();
    await mesh.settle();
    for (const n of [1, 2]) await mesh.client.news("eu").publish(n);
    await mesh.advance("3s");
    for (const name of ["a", "b"]) assert.deepEqual(mesh.state(reader, name), { heard: [1, 2] }, name);
  };
  await explore(scenario, { agents: [news, reader], seeds: 1, kills: "every step" });
});
