// Nodes as processes: what handlers send leaves with the commit, in order, and takes effect once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type SessionName, sessionToken } from "@voda/proto/session";
import { laneSubjects, logStream } from "@voda/proto/wire";
import { voda as runVoda } from "./kit/command-line.ts";
import { call, openTwoNodes, refusal, waitUntil } from "./kit/index.ts";

const { cluster, n1, n2 } = await openTwoNodes("letters");

interface Books {
  readonly told: Readonly<Record<string, number>>;
  readonly heard: Readonly<Record<string, number>>;
  readonly wrong: number;
}
const booksOf = async (key: string): Promise<Books> =>
  (await call(n1.url, `peer/${key}/books`)).body as Books;

test("what a handler sends is taken in order, by sessions here and on another node", async () => {
  await call(n2.url, "peer/b/tell", { input: [] });
  for (let i = 0; i < 20; i += 1) await call(n1.url, "peer/a/tell", { input: ["b", "c", "a"] });
  for (const key of ["a", "b", "c"])
    await waitUntil(async () => (await booksOf(key)).heard["a"] === 20, `${key} has heard all`);
  for (const key of ["a", "b", "c"]) assert.equal((await booksOf(key)).wrong, 0);
});

test("a turn that fails sends nothing", async () => {
  assert.equal(
    refusal(await call(n1.url, "peer/fails/tellAndFail", { input: "quiet" })).message,
    "not today",
  );
  await call(n1.url, "peer/fails/tell", { input: ["quiet"] });
  await waitUntil(async () => (await booksOf("quiet")).heard["fails"] === 1, "what came later is taken");
  assert.equal((await booksOf("quiet")).wrong, 0);
});

for (const [method, reason, words] of [
  ["toNobody", "agent_not_found", /sender\/wrong sends to nobody\/k hear: .*nobody/],
  ["toNoMethod", "method_not_found", /agent sink has no method shout/],
  [
    "tooLarge",
    "too_large",
    /ctx\.send\(sink, "k"\)\.take: \d+ bytes of messages in one turn exceed turnBytesMax 1048576/,
  ],
] as const)
  test(`${method}: the turn fails with its reason, and changes nothing`, async () => {
    const refused = refusal(await call(n1.url, `sender/wrong/${method}`));
    assert.equal(refused.reason, reason);
    assert.match(refused.message, words);
    assert.equal((await call(n1.url, "sender/wrong/sent")).body, 0);
  });

test("a turn sends so many messages and no more", async () => {
  assert.equal((await call(n1.url, "sender/many/tooMany", { input: 1_024 })).status, 200);
  const refused = refusal(await call(n1.url, "sender/many/tooMany", { input: 1_025 }));
  assert.equal(
    refused.message,
    'ctx.send(sink, "many").take: a turn sends at most turnSendsMax 1024 messages',
  );
  const taken = async () => Object.keys((await call(n1.url, "sink/many/taken")).body as object).length;
  await waitUntil(async () => (await taken()) === 1_024, "all are taken");
});

test("a message that its target refuses is given up, and those behind and beside it go on", async () => {
  await call(n1.url, "sender/p/poison", { input: "strict" });
  const taken = async (key: string) => (await call(n1.url, `sink/${key}/taken`)).body;
  for (const [key, what] of [
    ["strict", "after"],
    ["strict-neighbour", "beside"],
  ] as const)
    await waitUntil(async () => JSON.stringify(await taken(key)) === JSON.stringify({ [what]: 1 }), what);
  const told =
    /"incident":"dead_letter".*dead letter \d+ \(sender\/p -> sink\/strict refuse\): it is refused; /;
  await waitUntil(() => told.test(n1.process().output()), "the log tells");
});

test("dead letters are listed, delivered again once, and dropped", async () => {
  for (const key of ["shut", "gone"]) await call(n1.url, "sender/d/poison", { input: key });
  const list = async () =>
    (JSON.parse((await voda("ps", "--dead", "--json")).stdout) as { letters: Letter[] }).letters;
  const to = (key: string) => async () => (await list()).find(({ target }) => target.key === key);
  const [shut, gone] = [
    await waitUntil(to("shut"), "a letter is dead"),
    await waitUntil(to("gone"), "one more"),
  ];
  const { sender, target, method, input, code, message, attempts } = shut;
  assert.deepEqual(
    [sender.key, target.agent, method, input, code, message, attempts],
    ["d", "sink", "refuse", '"it"', "invalid_argument", "it is refused", 1],
  );
  assert.match(
    (await voda("ps", "--dead")).stdout,
    /sender\/d -> sink\/shut refuse +1 +invalid_argument: it is refused/,
  );
  const failed = await voda("dead", "retry", shut.id);
  assert.deepEqual([failed.code, /it is refused/.test(failed.stderr)], [1, true]);
  assert.ok(await to("shut")(), "it stays");
  await call(n1.url, "sink/shut/open");
  assert.match((await voda("dead", "retry", shut.id)).stdout, /was taken/);
  assert.deepEqual((await call(n1.url, "sink/shut/taken")).body, { after: 1, it: 1 });
  const again = await voda("dead", "retry", shut.id, gone.id);
  assert.equal(again.code, 3, "it is not there any more");
  assert.match(
    again.stderr,
    new RegExp(`^voda: not_found: there is no dead letter ${shut.id}: .*; not tried: ${gone.id}\n`),
  );
  const said = JSON.parse((await voda("dead", "drop", shut.id, gone.id, "--json")).stdout);
  assert.partialDeepStrictEqual(said, { error: { exitCode: 3 }, id: shut.id, notTried: [gone.id] });
  assert.match((await voda("dead", "drop", gone.id)).stdout, /is dropped/);
  assert.deepEqual([await to("shut")(), await to("gone")()], [undefined, undefined]);
});

test("a page of dead letters ends by its bytes too, and says where the next one begins", async () => {
  const count = 6;
  for (let i = 0; i < count; i += 1) await call(n1.url, `sender/large${i}/large`, { input: "large" });
  const page = async (pageToken: string) => {
    const response = await api("ListDeadLetters", { pageSize: 1_000, pageToken });
    return (await response.json()) as { letters?: Letter[]; nextPageToken?: string };
  };
  const all = async () => {
    const found: Letter[][] = [];
    for (let token: string | undefined = ""; token !== undefined; ) {
      const { letters = [], nextPageToken } = await page(token);
      found.push(letters.filter(({ target }) => target.key === "large"));
      token = nextPageToken;
    }
    return found;
  };
  const pages = await waitUntil(async () => {
    const found = await all();
    return found.flat().length === count && found;
  }, "all are listed");
  assert.ok(
    pages.length > 2 && pages.every(({ length }) => length <= 3),
    JSON.stringify(pages.map((p) => p.length)),
  );
  for (const id of ["18446744073709551615", "9007199254740993"])
    assert.equal((await api("RetryDeadLetter", { id })).status, 404);
  assert.match((await voda("dead", "drop", "--all", "--to", "sender")).stdout, /^0 dead letters/);
  const slip = await voda("dead", "drop", "--all", "--to", "snik");
  assert.equal(slip.code, 3);
  assert.match(slip.stderr, /^voda: no agent "snik" in namespace default \(did you mean sink\?\)/);
  assert.equal((await all()).flat().length, count);
  assert.match((await voda("dead", "drop", "--all", "--to", "sink")).stdout, /^\d+ dead letters are dropped/);
  assert.deepEqual((await all()).flat(), []);
});

test("what a session has sent is delivered after its node died, though nobody calls it", async () => {
  const taken = async () => (await call(n2.url, "sink/slow/taken")).body as Readonly<Record<string, number>>;
  const count = 12;
  await call(n2.url, "sink/slow/open");
  await call(n1.url, "sender/dies/flood", { input: { to: "slow", count } });
  await waitUntil(async () => Object.keys(await taken()).length > 2, "some are taken");
  await n1.kill9();
  await waitUntil(async () => Object.keys(await taken()).length === count, "all are taken");
  assert.deepEqual(new Set(Object.values(await taken())), new Set([1]));
  await n1.restart();
});

test("what a session sends after an accepted loss is taken, however many numbers were lost", async () => {
  const key = "loses";
  const flood = () => insist(`sender/${key}/flood`, { to: "hears", count: 1 });
  const taken = async () => ((await call(n2.url, "sink/hears/taken")).body as Record<string, number>)["0"];
  await call(n2.url, "sink/hears/open");
  for (let sent = 0; sent < 6; sent += 1) await flood();
  await waitUntil(async () => (await taken()) === 6, "all are taken");
  await Promise.all([n1.kill9(), n2.kill9()]);
  await loseLast({ namespace: "default", agent: "sender", key }, 3);
  await Promise.all([n1.restart(), n2.restart()]);
  await waitUntil(
    async () => (await voda("accept-loss", `sender/${key}`)).code === 0,
    "somebody accepts the loss",
  );
  for (let sent = 0; sent < 2; sent += 1) await flood();
  await waitUntil(async () => (await taken()) === 8, "what was sent since is taken too");
});

const api = (method: string, request: object): Promise<Response> =>
  fetch(`${cluster.apiUrl}/voda.api.v1.SessionService/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });

/** Again until it is answered: both nodes are young. */
async function insist(path: string, input: unknown): Promise<void> {
  await waitUntil(async () => (await call(n1.url, path, { input })).status === 200, `${path} is answered`);
}

/** The last records of the lane go, as with a damaged file. */
async function loseLast(name: SessionName, count: number): Promise<void> {
  const nats = await cluster.nats.connect();
  const ask = (method: string, body: object) =>
    nats.request(`$JS.API.STREAM.${method}.${logStream(0)}`, JSON.stringify(body));
  for (let left = count; left > 0; left -= 1) {
    const got = await ask("MSG.GET", { last_by_subj: laneSubjects(sessionToken(name)).plain });
    await ask("MSG.DELETE", { seq: got.json<{ message: { seq: number } }>().message.seq });
  }
  await nats.close();
}

interface Letter {
  readonly id: string;
  readonly sender: { readonly key: string };
  readonly target: { readonly agent: string; readonly key: string };
  readonly method: string;
  readonly input: string;
  readonly code: string;
  readonly message: string;
  readonly attempts: number;
}

const voda = (...args: readonly string[]) => runVoda(cluster.apiUrl, ...args);
