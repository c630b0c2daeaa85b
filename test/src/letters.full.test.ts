// Eight sessions that send to each other, while their nodes are killed at random points.
import assert from "node:assert/strict";
import { test } from "node:test";
import { prng } from "@voda/stdx";
import { type ClusterNode, call, openTwoNodes, waitUntil } from "./kit/index.ts";

const kills = 30;
const keys = Array.from({ length: 8 }, (_, i) => `p${i}`);
const seed = Number(process.env["LETTERS_SEED"] ?? Date.now() % 1_000_000);

const { cluster } = await openTwoNodes("letters");

interface Books {
  readonly told: Readonly<Record<string, number>>;
  readonly heard: Readonly<Record<string, number>>;
  readonly wrong: number;
}

/** Again, at the one node or the other, until it is answered. */
async function insist(path: string, options: { readonly input?: unknown; readonly id?: string } = {}) {
  let attempt = 0;
  const { body } = await waitUntil(
    async () => {
      const { url } = cluster.nodes[attempt++ % cluster.nodes.length] as ClusterNode;
      const called = call(url, path, { ...options, signal: AbortSignal.timeout(5_000) });
      const [outcome] = await Promise.allSettled([called]);
      return outcome.status === "fulfilled" && outcome.value.status === 200 && outcome.value;
    },
    `${path} is answered`,
    60_000,
  );
  return body;
}

test("30 SIGKILLs of nodes: what was sent is taken once, in order, and nothing is lost", async (context) => {
  context.diagnostic(`seed ${seed}`);
  const random = prng(seed);
  const stop = new AbortController();
  let told = 0;
  const talk = async (from: string): Promise<void> => {
    for (let i = 0; !stop.signal.aborted; i += 1) {
      const to = Array.from({ length: 3 }, () => random.pick(keys));
      await insist(`peer/${from}/tell`, { input: to, id: `${from}-${i}` });
      told += to.length;
    }
  };
  const talking = keys.map(talk);
  for (let kill = 0; kill < kills; kill += 1) {
    const node = random.pick(cluster.nodes);
    const until = told + random.below(100);
    await waitUntil(() => told > until, "sessions talk");
    await node.kill9();
    await node.restart();
  }
  stop.abort();
  await Promise.all(talking);
  const booksOf = async (key: string): Promise<Books> => (await insist(`peer/${key}/books`)) as Books;
  const areEven = async (): Promise<boolean> => {
    const books = await Promise.all(keys.map(booksOf));
    return keys.every((from, f) =>
      keys.every((to, t) => (books[f]?.told[to] ?? 0) === (books[t]?.heard[from] ?? 0)),
    );
  };
  await waitUntil(areEven, "every word was heard", 60_000);
  for (const key of keys) assert.equal((await booksOf(key)).wrong, 0, key);
  context.diagnostic(`${told} words in ${kills} kills`);
});
