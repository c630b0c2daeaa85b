import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as loopTick } from "node:timers/promises";
import { storeErrorMsMax } from "@voda/net";
import { type Clock, systemClock } from "@voda/stdx";
import { leakCheck, type Nats, startNats, startProcess, waitUntil } from "@voda/test/kit";
import {
  type AppendDone,
  type AppendOutcome,
  type AppendRequest,
  type Commit,
  openCommit,
} from "../commit/index.ts";
import { type Connection, openConnection, openRequests } from "../nats/index.ts";
import { createStreams } from "../store/index.ts";
import {
  leaseTtlMs,
  type Membership,
  type MembershipEvent,
  openIdentity,
  openMembership,
  readWindowMs,
} from "./index.ts";
import { leaseRenewMs } from "./window.ts";

interface Node {
  readonly membership: Membership;
  readonly connection: Connection;
  readonly commit: Commit;
  readonly events: MembershipEvent[];
  /** Messages of alarms. */
  readonly alarms: string[];
}
interface Rig {
  readonly server: Nats;
  /** Holds the data folder of each node, by its name. */
  readonly dir: string;
  /** Starts a node, or the next process of one. */
  readonly node: (name: string, clock?: Clock) => Promise<Node>;
  /**
   * Ends the node's process without a word: nothing is renewed any more, and the directory's lock is free.
   */
  readonly crash: (node: Node) => Promise<void>;
}

async function rig(context: TestContext): Promise<Rig> {
  const nothingLeaked = leakCheck();
  const cleanup = new AsyncDisposableStack();
  context.after(async () => {
    await cleanup.disposeAsync();
    await nothingLeaked();
  });
  const dir = mkdtempSync(join(tmpdir(), "voda-membership-"));
  cleanup.defer(() => rmSync(dir, { recursive: true }));
  const server = cleanup.use(await startNats());
  const locks = new Map<Node, () => void>();
  return {
    server,
    dir,
    async node(name, clock = systemClock) {
      const connection = cleanup.use(await openConnection({ url: server.url, name }));
      const requests = cleanup.use(openRequests(connection, clock));
      await createStreams(requests, 1);
      const commit = cleanup.use(openCommit(connection, clock));
      const identity = cleanup.use(openIdentity(join(dir, name)));
      const capacity = { cpuMilli: 1_000, memoryMib: 512 };
      const ingress = "127.0.0.1:7000";
      const alarms: string[] = [];
      const alarm = (_: unknown, message?: string): void => void alarms.push(message ?? "");
      const log = { error: alarm, warn: alarm };
      const membership = cleanup.use(
        await openMembership({
          requests,
          commit,
          clock,
          identity,
          node: name,
          ingress,
          zone: "",
          capacity,
          log,
        }),
      );
      const node: Node = { membership, connection, commit, events: [], alarms };
      membership.onEvent((event) => node.events.push(event));
      locks.set(node, () => identity[Symbol.dispose]());
      return node;
    },
    async crash(node) {
      await node.commit[Symbol.asyncDispose]();
      await node.connection[Symbol.asyncDispose]();
      await node.membership[Symbol.asyncDispose]();
      locks.get(node)?.();
    },
  };
}

/** Stops this whole process, as SIGSTOP would: no timer runs, nothing is renewed. */
function freeze(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test("nodes know each other, and a clean stop ends a lease before that of one that crashed just then", async (t) => {
  const { node, crash } = await rig(t);
  const [a, b, c] = [await node("a"), await node("b"), await node("c")];
  const ofC = c.membership.incarnation();
  await waitUntil(() => a.membership.ended(ofC) === "no", "a sees c");
  assert.ok(a.membership.leaseLeftMs() > 0);
  const ofB = b.membership.incarnation();
  await waitUntil(() => a.membership.ended(ofB) === "no", "a sees b");
  assert.deepEqual(a.membership.member(ofB)?.node, "b");
  assert.deepEqual(a.membership.member(ofB)?.ingress, "127.0.0.1:7000");
  await crash(c);
  await b.membership[Symbol.asyncDispose]();
  assert.equal(b.membership.leaseLeftMs(), 0);
  await waitUntil(() => a.membership.ended(ofB) === "yes", "a sees the end of b");
  assert.equal(a.membership.ended(ofC), "no");
  assert.ok(a.membership.wasClosed(ofB));
  assert.ok(a.events.some((event) => event.type === "changed"));
});

test("a lease outlives its time to live as long as it is renewed, and ends when the node is dead", async (t) => {
  const { node, crash } = await rig(t);
  const [a, b] = [await node("a"), await node("b")];
  const ofB = b.membership.incarnation();
  const started = performance.now();
  await waitUntil(() => performance.now() - started > leaseTtlMs + 500, "the time to live is over");
  assert.equal(a.membership.ended(ofB), "no");
  assert.equal(b.membership.incarnation(), ofB);
  await waitUntil(() => b.membership.leaseLeftMs() > 0, "b may read");
  await crash(b);
  assert.equal(await a.membership.prove(ofB), false, "its lease still lives");
  await waitUntil(() => a.membership.ended(ofB) === "yes", "the lease of b ends");
});

test("the next process of a node ends the lease of the last one at its start", async (t) => {
  const { node, crash } = await rig(t);
  const a = await node("a");
  const b = await node("b");
  const old = b.membership.incarnation();
  await waitUntil(() => a.membership.ended(old) === "no", "a sees b");
  await crash(b);
  const again = await node("b");
  await waitUntil(() => a.membership.ended(old) === "yes", "a sees the obituary");
  assert.equal(a.membership.wasClosed(old), false, "nobody knows what ended it");
  assert.notEqual(again.membership.incarnation(), old);
  assert.equal(a.membership.successor(old), undefined);
});

test("a data directory belongs to one process", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "voda-identity-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const mine = openIdentity(dir);
  mine.note("0123456789abcdef0123456789abcdef");
  assert.throws(() => openIdentity(dir), /belongs to a running node/);
  mine[Symbol.dispose]();
  const identity = new URL("./identity.ts", import.meta.url).href;
  const script = `import { openIdentity } from ${JSON.stringify(identity)};
    const identity = openIdentity(${JSON.stringify(dir)});
    console.log("previous", identity.previous());
    setInterval(() => identity.previous(), 1000);`;
  const other = await startProcess({
    command: process.execPath,
    args: ["--input-type=module", "-e", script],
    ready: (output) => output.includes("previous 0123456789abcdef0123456789abcdef"),
  });
  assert.throws(() => openIdentity(dir), /belongs to a running node/);
  await other.kill9();
  openIdentity(dir)[Symbol.dispose]();
});

test("a node that was paused beyond its lease returns as a new incarnation that succeeds the old", async (t) => {
  const { node } = await rig(t);
  const a = await node("a");
  const old = a.membership.incarnation();
  freeze(leaseTtlMs + 500);
  assert.equal(a.membership.leaseLeftMs(), 0, "before anything else ran");
  await waitUntil(() => a.events.some((event) => event.type === "lapsed"), "a lapsed");
  const incarnation = a.membership.incarnation();
  assert.deepEqual(
    a.events.find((event) => event.type === "lapsed"),
    { type: "lapsed", ended: old, incarnation },
  );
  await waitUntil(() => a.membership.leaseLeftMs() > 0, "a is back");
  const b = await node("b");
  await waitUntil(() => b.membership.ended(incarnation) === "no", "b sees a");
  assert.ok(await b.membership.prove(old));
  assert.equal(b.membership.ended(old), "yes");
  assert.equal(b.membership.successor(old)?.incarnation, incarnation);
});

test("a node whose data folder takes nothing says so once when its lease has lapsed, and returns when it does", async (t) => {
  const { node, dir } = await rig(t);
  const { membership, alarms, events } = await node("a");
  const file = join(dir, "a/incarnation");
  rmSync(file);
  mkdirSync(file); // as a full disk: nothing can be put there
  alarms.length = 0;
  freeze(leaseTtlMs + 500);
  const alarm = /data folder takes no new incarnation: .* make room there/;
  await waitUntil(() => alarms.some((text) => alarm.test(text)), "the folder is told of");
  const started = performance.now();
  await waitUntil(() => performance.now() - started > 2 * leaseRenewMs, "it was tried again");
  assert.equal(alarms.filter((text) => alarm.test(text)).length, 1, "said once");
  assert.equal(membership.leaseLeftMs(), 0);
  rmdirSync(file);
  await waitUntil(() => events.some(({ type }) => type === "lapsed"), "a new incarnation");
  await waitUntil(() => membership.leaseLeftMs() > 0, "a is back");
});

test("a window that ended by either clock opens again with the next renewal, in the same incarnation", async (t) => {
  const { node } = await rig(t);
  let wallStepMs = 0;
  const clock: Clock = { wallMs: () => Date.now() + wallStepMs, monotonicMs: () => performance.now() };
  const a = await node("a", clock);
  const { membership, events } = a;
  const incarnation = membership.incarnation();
  wallStepMs = readWindowMs; // as after the suspension of the machine
  assert.equal(membership.leaseLeftMs(), 0);
  await waitUntil(() => events.some((event) => event.type === "renewed"), "the lease is renewed");
  assert.ok(membership.leaseLeftMs() > 0);
  assert.equal(membership.incarnation(), incarnation);
});

test("a lease is renewed as soon as the connection is back: it has not the time for another second", async (t) => {
  const { node, server } = await rig(t);
  const { commit, connection } = await node("a");
  const appends = t.mock.method(commit, "append");
  const back = Promise.withResolvers<number>();
  connection.onEvent(({ type }) => {
    if (type === "reconnected") back.resolve(appends.mock.callCount());
  });
  await server.kill9();
  await server.restart();
  const before = await back.promise;
  await loopTick();
  assert.equal(appends.mock.callCount() - before, 1);
});

test("a renewal whose answer was lost is found, and the next one follows at once", async (t) => {
  const { node } = await rig(t);
  const { commit } = await node("a");
  const outcomes: string[] = [];
  /** Renewals, and the pauses between what is done. */
  const done: string[] = [];
  const { setTimeout: arm } = globalThis;
  t.mock.method(globalThis, "setTimeout", (act: () => void, ms?: number) => {
    done.push(`pause of ${ms} ms`);
    return arm(act, ms);
  });
  const append = commit.append.bind(commit);
  t.mock.method(commit, "append", (request: AppendRequest, answer: AppendDone) => {
    done.push("renewal");
    append(request, (outcome) => {
      const told: AppendOutcome = outcomes.length === 0 ? { type: "unanswered" } : outcome;
      outcomes.push(told.type);
      done.push(told.type);
      answer(told);
    });
  });
  await waitUntil(() => outcomes.length >= 3, "three renewals are over");
  assert.deepEqual(outcomes.slice(0, 3), ["unanswered", "refused", "acked"]);
  const after = done.slice(done.indexOf("refused"), done.indexOf("acked"));
  assert.ok(after.includes("renewal") && !after.includes(`pause of ${leaseRenewMs} ms`), after.join(", "));
});

test("nodes whose wall clocks differ by minutes, or step back, agree on the time, and keep their leases", async (t) => {
  const { node } = await rig(t);
  const skewed = (skew: { ms: number }): Clock => ({ ...systemClock, wallMs: () => Date.now() + skew.ms });
  const [right, late, stepping] = [{ ms: 0 }, { ms: -3_000 }, { ms: 660_000 }];
  const nodes = [
    await node("a", skewed(right)),
    await node("b", skewed(late)),
    await node("c", skewed(stepping)),
  ];
  const wallAlarms = (): number[] =>
    nodes.map(({ alarms }) => alarms.filter((text) => /wall clock is far .*NTP/.test(text)).length);
  const check = async (): Promise<void> => {
    for (const { membership } of nodes) {
      await waitUntil(() => membership.leaseLeftMs() > 0, "the lease counts");
      const wrongMs = membership.storeMs(systemClock.monotonicMs()) - Date.now();
      assert.ok(Math.abs(wrongMs) <= storeErrorMsMax, `store time is wrong by ${wrongMs} ms`);
    }
  };
  await check();
  await waitUntil(() => wallAlarms().join() === "0,1,1", "the nodes that are wrong say so");
  stepping.ms -= 3_600_000;
  await check();
  const started = performance.now();
  await waitUntil(() => performance.now() - started > leaseTtlMs, "the lease was renewed");
  await check();
  assert.deepEqual(wallAlarms(), [0, 1, 1], "said once");
  assert.ok(nodes.every(({ events }) => !events.some(({ type }) => type === "lapsed")));
});

test("a store whose time jumps against the monotonic clock is alarmed once; the lease counts when two readings agree", async (t) => {
  const { node } = await rig(t);
  let stoodStillMs = 0;
  const monotonicMs = (): number => performance.now() - stoodStillMs;
  const { membership, alarms, events } = await node("a", { ...systemClock, monotonicMs });
  await waitUntil(() => membership.leaseLeftMs() > 0, "the store's time is known");
  alarms.length = 0;
  events.length = 0;
  stoodStillMs = 2_000;
  await waitUntil(() => alarms.length > 0, "the jump is seen");
  // only a lease that did not count in between is told of
  await waitUntil(() => events.some(({ type }) => type === "renewed"), "two readings agree");
  assert.ok(Math.abs(membership.storeMs(monotonicMs()) - Date.now()) <= storeErrorMsMax);
  assert.equal(alarms.length, 1, alarms.join("\n"));
  assert.match(alarms[0] ?? "", /jumped by \d{3,4} ms .*storeErrorMsMax 250; .*two readings agree/);
});

test("the end of a lease of which nothing is known is proved by an obituary, which keeps the lease from coming back", async (t) => {
  const { node } = await rig(t);
  const a = await node("a");
  const never = "00".repeat(16);
  assert.equal(a.membership.ended(never), "unknown");
  assert.ok(await a.membership.prove(never));
  assert.equal(a.membership.ended(never), "yes");
  const late = {
    subject: `$KV.voda_nodes.b.${never}`,
    fence: `$KV.voda_nodes.*.${never}`,
    expect: 0,
    payload: new Uint8Array(2),
  };
  const outcome = await new Promise((resolve) => a.commit.append(late, resolve));
  assert.deepEqual(outcome, { type: "refused", code: 10071 });
  const b = await node("b");
  assert.equal(await a.membership.prove(b.membership.incarnation()), false);
});

test("a restart of the server in the meantime ends no lease, and news go on afterwards", async (t) => {
  const { node, server } = await rig(t);
  const [a, b] = [await node("a"), await node("b")];
  const [ofA, ofB] = [a.membership.incarnation(), b.membership.incarnation()];
  await waitUntil(() => a.membership.ended(ofB) === "no", "a sees b");
  await server.kill9();
  await server.restart();
  await waitUntil(() => a.connection.isUp() && b.connection.isUp(), "both are connected again");
  await waitUntil(
    () => a.membership.leaseLeftMs() > 0 && b.membership.leaseLeftMs() > 0,
    "both leases are valid",
  );
  assert.deepEqual([a.membership.incarnation(), b.membership.incarnation()], [ofA, ofB]);
  await b.membership[Symbol.asyncDispose]();
  await waitUntil(() => a.membership.ended(ofB) === "yes", "a sees the end of b");
});
