import assert from "node:assert/strict";
import { test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import {
  AgentService,
  type DescribeSessionResponseSchema,
  NodeService,
  PlacementService,
  QuotaService,
  SessionService,
  SessionStatus,
} from "@voda/proto/api";
import { CliError } from "../failure.ts";
import { printSession } from "./ps-session.ts";

const name = { namespace: "default", agent: "shop", key: "t-1" };
const nowMs = Date.UTC(2026, 0, 1);
const inMs = (ms: number): bigint => BigInt(nowMs + ms);
const awake = { ...name, status: SessionStatus.AWAKE, node: "n1", epoch: 3n };
const workflow = (id: string, more: object) => ({ id, workflow: "sell", phase: "waiting", ...more });

/** What is printed of a session that the control plane tells of so. */
async function printed(
  described: MessageInitShape<typeof DescribeSessionResponseSchema>,
  isJson = false,
  namespace = name.namespace,
) {
  const transport = createRouterTransport(({ service }) => {
    service(AgentService, { listAgents: () => ({ agents: [{ name: "shop" }] }) });
    service(SessionService, {
      describeSession: () => described,
      getSession: () => (described.session === undefined ? {} : { session: described.session }),
    });
  });
  const api = {
    agents: createClient(AgentService, transport),
    sessions: createClient(SessionService, transport),
    nodes: createClient(NodeService, transport),
    placement: createClient(PlacementService, transport),
    quotas: createClient(QuotaService, transport),
  };
  const lines: string[] = [];
  await printSession(api, { ...name, namespace }, isJson, (line) => lines.push(line));
  return lines.join("\n");
}

const cellsOf = (text: string): string[][] => text.split("\n").map((line) => line.trim().split(/ {2,}/));

test("an awake session is told with its letters, timers and workflows", async () => {
  const waits = {
    nowMs: inMs(0),
    letters: 2,
    oldestLetterMs: inMs(-12_300),
    oldestLetterTarget: { ...name, agent: "stock", key: "tea" },
    alone: 1,
    timers: 3,
    nextTimerMs: inMs(3 * 3_600_000),
    nextWorkflowMs: inMs(-1),
    workflows: {
      running: 1,
      waiting: 2,
      failed: 4,
      live: [
        workflow("travel", { waitsFor: ["paid", "limit"] }),
        workflow("old", { phase: "running", undoing: true }),
      ],
    },
  };
  assert.deepEqual(cellsOf(await printed({ session: awake, waits })), [
    ["SESSION", "STATUS", "NODE", "EPOCH"],
    ["shop/t-1", "awake", "n1", "3"],
    [""],
    ["WAITS FOR", "COUNT", "WHAT"],
    ["letters", "2", "the oldest for 12.3 s, to stock/tea"],
    ["letters alone", "1", "sent to it: a node may have ended under them, so they run one by one"],
    ["timers", "3", "the next in 3 h (2026-01-01T03:00:00.000Z)"],
    [
      "workflows",
      "3",
      "1 running, 2 waiting, the next time is due (2025-12-31T23:59:59.999Z); " +
        "ended: 4 failed, 0 done, 0 cancelled",
    ],
    [""],
    ["WORKFLOW", "NAME", "PHASE", "WAITS FOR"],
    ["travel", "sell", "waiting", "paid, limit"],
    ["old", "sell", "running, undoing", "-"],
    ["and 1 more"],
  ]);
});

test("one that waits for nothing, without workflows, and one whose thread is held, are told so", async () => {
  const none = cellsOf(await printed({ session: awake, waits: {} })).slice(4);
  assert.deepEqual(none, [
    ["letters", "0", "-"],
    ["timers", "0", "-"],
  ]);
  const held = await printed({ session: awake, waits: { workflowsProblem: "the deadline passed" } });
  assert.deepEqual(cellsOf(held).at(-1), ["workflows", "?", "the deadline passed"]);
});

test("of one that sleeps it is told when it is woken, and how more is seen", async () => {
  const session = { ...name, status: SessionStatus.ASLEEP };
  const more = "`npx voda wake shop/t-1` loads it, and then this names its letters, timers and workflows";
  for (const [wakesAtMs, words] of [
    [0n, "nothing wakes it but a call or a message"],
    [1n, "it is woken at once, for what it has sent, for a timer or for a workflow"],
    [inMs(0), "it is woken at 2026-01-01T00:00:00.000Z, for what it has sent, for a timer or for a workflow"],
  ] as const)
    assert.equal((await printed({ session, wakesAtMs })).split("\n").at(-1), `${words}; ${more}`);
});

test("the next step names the namespace where it is not the default one", async () => {
  const told = await printed({ session: { ...name, status: SessionStatus.ASLEEP } }, false, "team-a");
  assert.match(told, /; `npx voda wake shop\/t-1 --namespace team-a` loads it/);
});

test("programs get it as JSON; one that nobody has called is not found", async () => {
  const json = await printed({ session: awake, waits: { letters: 2, nowMs: 5n } }, true);
  assert.deepEqual(JSON.parse(json), {
    session: { ...name, status: "SESSION_STATUS_AWAKE", node: "n1", epoch: "3" },
    waits: { letters: 2, nowMs: "5" },
  });
  await assert.rejects(
    printed({ session: { ...name, status: SessionStatus.UNBORN } }),
    (error) => error instanceof CliError && error.exitCode === 3,
  );
});
