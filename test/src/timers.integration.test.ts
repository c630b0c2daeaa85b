// Nodes as processes: what handlers have done later is done once, at its time, whoever has died meanwhile and
// whoever sleeps.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { storeErrorMsMax } from "@voda/net";
import { SessionService, SessionStatus } from "@voda/proto/api";
import { voda } from "./kit/command-line.ts";
import { type ClusterNode, call, openTwoNodes, refusal, waitUntil } from "./kit/index.ts";

const { cluster, n1, n2 } = await openTwoNodes("timers");

const plan = (node: ClusterNode, key: string, input: { when: object; ids: readonly string[]; to: string }) =>
  call(node.url, `planner/${key}/plan`, { input });
const rings = async (key: string) =>
  (await call(n2.url, `alarm/${key}/rings`)).body as Readonly<Record<string, number>>;
const lastMs = async (key: string) =>
  (await call(n2.url, `alarm/${key}/lastMs`)).body as Readonly<Record<string, number>>;
const idsOf = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${name}${i}`);
const onceEach = (ids: readonly string[]) => Object.fromEntries(ids.map((id) => [id, 1]));

async function ringOnce(key: string, ids: readonly string[]): Promise<void> {
  await waitUntil(async () => Object.keys(await rings(key)).length === ids.length, `all of ${key} ring`);
  assert.deepEqual(await rings(key), onceEach(ids));
}

/** Puts the session to sleep, and sees that it does. */
async function putToSleep(key: string): Promise<void> {
  const sessions = createClient(
    SessionService,
    createConnectTransport({ baseUrl: cluster.apiUrl, httpVersion: "1.1" }),
  );
  const session = { namespace: "default", agent: "planner", key };
  const slept = await sessions.sleepSession({ session });
  assert.equal(slept.session?.status, SessionStatus.ASLEEP);
}

/** What `voda ps planner/KEY --json` says. */
async function seen(key: string): Promise<Seen> {
  const { stdout } = await voda(cluster.apiUrl, "ps", `planner/${key}`, "--json");
  return JSON.parse(stdout) as Seen;
}

interface Seen {
  readonly waits?: { readonly timers: number; readonly nextTimerMs: string };
  readonly wakesAtMs?: string;
}

/** Of two timers one is cancelled before they are due; a busy machine that is too late for that has more. */
async function planAndCancel(inMs: number): Promise<{ to: string; dueMs: number }> {
  const [to, dueMs] = [`within-${inMs}`, Date.now() + inMs];
  await plan(n1, to, { when: { atMs: dueMs }, ids: ["at", "cancelled"], to });
  await call(n1.url, `planner/${to}/cancel`, { input: "cancelled" });
  return Date.now() < dueMs - storeErrorMsMax ? { to, dueMs } : planAndCancel(2 * inMs);
}

describe("all nodes live", { concurrency: true }, () => {
  test("timers ring once each, not before their time, and one that is cancelled never", async () => {
    await plan(n1, "a", { when: { in: 300 }, ids: idsOf("in", 20), to: "a" });
    await call(n1.url, "planner/delays/later", { input: { delay: 200, to: "a" } });
    await ringOnce("a", [...idsOf("in", 20), "delays"]);
    const { to, dueMs } = await planAndCancel(1_000);
    await ringOnce(to, ["at"]);
    const at = (await lastMs(to))["at"] ?? 0;
    assert.ok(at >= dueMs - storeErrorMsMax, `it rang ${dueMs - at} ms early`);
  });

  test("a timer that comes again does so until it is cancelled", async () => {
    await plan(n1, "again", { when: { every: 1_000 }, ids: ["tick"], to: "again" });
    await waitUntil(async () => ((await rings("again"))["tick"] ?? 0) >= 2, "it rings again");
    await call(n1.url, "planner/again/cancel", { input: "tick" });
    await plan(n1, "again", { when: { in: 1_500 }, ids: ["after"], to: "again" });
    const before = (await rings("again"))["tick"];
    await waitUntil(async () => (await rings("again"))["after"] === 1, "what came later rings");
    assert.ok(((await rings("again"))["tick"] ?? 0) <= (before ?? 0) + 1);
  });

  test("a timer by the calendar comes again until it is cancelled", async () => {
    await plan(n1, "cron", { when: { cron: "* * * * * *" }, ids: ["second"], to: "cron" });
    await waitUntil(async () => ((await rings("cron"))["second"] ?? 0) >= 2, "it rings again");
    await call(n1.url, "planner/cron/cancel", { input: "second" });
    const never = refusal(await plan(n1, "cron", { when: { cron: "0 0 30 2 *" }, ids: ["x"], to: "cron" }));
    assert.equal(
      never.message,
      'ctx.schedule(alarm, "cron").ring: cron "0 0 30 2 *" in time zone "UTC" never comes',
    );
  });

  test("a turn that fails, or calls what is not there, sets no timer", async () => {
    const input = { when: { in: 0 }, ids: ["x"], to: "fails" };
    assert.equal((await call(n1.url, "planner/fails/planAndFail", { input })).status, 500);
    assert.equal(refusal(await call(n1.url, "planner/fails/toNobody")).reason, "agent_not_found");
    const bad = await plan(n1, "fails", { when: { atMs: 8.64e15 }, ids: ["x"], to: "fails" });
    assert.match(
      refusal(bad).message,
      /^ctx\.schedule\(alarm, "fails"\): at of \+275760-09-13T00:00:00.000Z is later than timerMsMax/,
    );
    assert.equal((await call(n1.url, "planner/fails/planned")).body, 0);
    await plan(n1, "fails", { when: { in: 0 }, ids: ["good"], to: "fails" });
    await ringOnce("fails", ["good"]);
  });

  test("a session that sleeps is woken for its timers", async () => {
    const fromMs = Date.now();
    await plan(n1, "sleeps", { when: { in: 6_000 }, ids: ["up"], to: "sleeps" });
    const { waits } = await seen("sleeps");
    assert.equal(waits?.timers, 1);
    await putToSleep("sleeps");
    const { waits: none, wakesAtMs } = await seen("sleeps");
    assert.deepEqual([none, wakesAtMs], [undefined, waits.nextTimerMs]);
    assert.ok(Number(wakesAtMs) >= fromMs + 6_000 - storeErrorMsMax, `it is woken at ${wakesAtMs}`);
    await ringOnce("sleeps", ["up"]);
  });
});

test("timers whose node is killed ring once each on another, also those of a session that slept there", async () => {
  for (const inMs of [500, 1_500, 2_500, 6_000])
    await plan(n1, "dies", { when: { in: inMs }, ids: idsOf(`${inMs}-`, 25), to: "dies" });
  await plan(n1, "slept", { when: { in: 4_000 }, ids: ["up"], to: "slept" });
  await putToSleep("slept");
  await waitUntil(async () => Object.keys(await rings("dies")).length >= 25, "some ring");
  await n1.kill9();
  await ringOnce("slept", ["up"]);
  await ringOnce(
    "dies",
    [500, 1_500, 2_500, 6_000].flatMap((inMs) => idsOf(`${inMs}-`, 25)),
  );
  await n1.restart();
});
