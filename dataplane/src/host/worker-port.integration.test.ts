import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AgentSchema, MethodMode } from "@voda/proto/api";
import { systemClock } from "@voda/stdx";
import { waitUntil } from "@voda/test/kit";
import pino from "pino";
import { plainCall } from "../../test/call.ts";
import { decodeAnswer } from "../call/index.ts";
import type { Opening } from "../reactor/index.ts";
import { openWorkers } from "../threads/index.ts";
import { createWorkerPort } from "./worker-port.ts";

const folder = mkdtempSync(join(tmpdir(), "voda-worker-port-"));
after(() => rmSync(folder, { recursive: true }));

type HeardEvent = Parameters<Opening["hear"]>[0];

const agent = create(AgentSchema, {
  namespace: "default",
  name: "counter",
  revision: "r1",
  fields: [{ name: "n", kind: "counter" }],
  methods: [{ name: "add", mode: MethodMode.HANDLER }],
  turnMsMax: 10_000,
});
const code = `import { agent, s } from "voda";
const counter = agent("counter", { n: s.counter() });
export default { agents: [counter.handlers({ add: (ctx, by) => ctx.state.n.add(by) })] };
`;

test("who opened an activation hears of it, snapshots as a whole, until it is closed", async () => {
  await using stack = new AsyncDisposableStack();
  const log = pino({ level: "silent" });
  const workers = stack.use(
    openWorkers({
      log,
      node: "n1",
      onLost: () => assert.fail("no thread is lost"),
      onRetire: () => Promise.resolve(),
      holdLimit: () => undefined,
      heapMib: 64,
    }),
  );
  const bundle = join(folder, "r1.mjs");
  writeFileSync(bundle, code);
  await workers.deploy(agent, bundle);
  const admission = { admit: () => ({ devices: [] }), release: () => undefined };
  const port = createWorkerPort({ workers, admission, devices: [], log });
  const [one, other]: [HeardEvent[], HeardEvent[]] = [[], []];
  const { name, token } = plainCall(1, 0);
  for (const [activation, heard] of [
    [7, one],
    [8, other],
  ] as const) {
    const hear = (event: HeardEvent): void => void heard.push(event);
    port.open({
      token,
      name,
      activation,
      epoch: 1,
      image: { pages: [], deltas: [], isReleased: false },
      granted: undefined,
      hear,
    });
  }
  const deadlineMs = systemClock.monotonicMs() + 60_000;
  const add = (number: number) => plainCall(number, deadlineMs, { body: new TextEncoder().encode("2") });
  port.run(7, add(1));
  port.run(7, add(2));
  // A thread begins calls in rounds: a snapshot that is asked for with them is cut between any two.
  await waitUntil(() => one.length === 2, "both turns");
  port.cut(7);
  await waitUntil(() => one.length === 3, "the snapshot");
  const values = one.map((event) => {
    if (event.type !== "turned") return event.type === "cut" ? `cut of ${event.pages.length}` : event.type;
    const answer = decodeAnswer(event.answer);
    return answer.ok ? new TextDecoder().decode(answer.body) : answer.failure.message;
  });
  assert.deepEqual(values, ["2", "4", "cut of 2"]);
  assert.deepEqual(other, [], "nothing is heard of another's");
  port.run(7, add(3));
  port.close(7);
  port.run(8, add(4));
  await waitUntil(() => other.length === 1, "the one that is open goes on");
  assert.equal(one.length, 3);
});
