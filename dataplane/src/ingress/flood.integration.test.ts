// One connection sends as much as it can: what its neighbours feel of it, beside a control without it.
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { Worker } from "node:worker_threads";
import { systemClock } from "@voda/stdx";
import { waitUntil } from "@voda/test/kit";
import type { Flood } from "../../test/flood.worker.ts";
import { openBed, within } from "../../test/ingress-bed.ts";

const callsMax = 100;
/** The calls are spread over time: a flood that rests lets many through at once. */
const callEveryMs = 5;
const probeMsMax = 2_000;
/**
 * A call is a few turns, each with the budget of the flood and what one read of it costs; the slower the
 * machine, the more.
 */
const feltMsMax = 20;
const feltControlsMax = 10;

const post = (body: string): string =>
  `POST /agents/probe/calm/echo HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

function openSocket(t: TestContext, port: number): Socket {
  const socket = connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  return socket;
}

/** How long a call takes, the median of some that are made one after the other. */
async function medianMs(socket: Socket): Promise<number> {
  const took: number[] = [];
  const untilMs = systemClock.monotonicMs() + probeMsMax;
  while (took.length < callsMax && systemClock.monotonicMs() < untilMs) {
    const answered = Promise.withResolvers<unknown>();
    socket.once("data", answered.resolve);
    const startedMs = systemClock.monotonicMs();
    socket.write(post("1"));
    await answered.promise;
    const endedMs = systemClock.monotonicMs();
    took.push(endedMs - startedMs);
    await waitUntil(() => systemClock.monotonicMs() - endedMs > callEveryMs, "the next call is due");
  }
  return took.sort((a, b) => a - b)[took.length >> 1] ?? 0;
}

const floods: readonly Flood[] = ["http1-chunks", "http1-requests", "http2-data", "http2-requests"];
for (const flood of floods) {
  test(`neighbours of a flood of ${flood} are served in between`, async (t) => {
    const bed = await openBed(t);
    const { port } = bed.ingress;
    const socket = openSocket(t, port);
    await medianMs(socket);
    const controlMs = await medianMs(socket);
    const worker = new Worker(new URL("../../test/flood.worker.ts", import.meta.url), {
      workerData: { port, flood },
    });
    t.after(() => worker.terminate());
    const before = bed.heads();
    await waitUntil(() => bed.heads() > before, "the flood has begun");
    const besideMs = await medianMs(socket);
    t.diagnostic(`a call takes ${besideMs} ms, ${controlMs} ms without the flood`);
    assert.ok(
      besideMs <= feltControlsMax * controlMs + feltMsMax,
      `${besideMs} ms, ${controlMs} ms without the flood`,
    );
  });
}

test("requests that wait for a later turn are answered whole and in order", async (t) => {
  const { ingress } = await openBed(t);
  const socket = openSocket(t, ingress.port);
  const bodies = Array.from({ length: 500 }, (_, at) => `"body ${at}"`);
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk) => (text += chunk));
  socket.write(bodies.map(post).join(""));
  const answers = (): string[] => text.match(/"body \d+"/g) ?? [];
  await waitUntil(() => answers().length === bodies.length, "all are answered");
  assert.deepEqual(answers(), bodies);
});

test("a caller who leaves while its requests wait, or closing in the meantime, leaves nothing", async (t) => {
  const { ingress, seen } = await openBed(t);
  const socket = openSocket(t, ingress.port);
  socket.write(post("1").repeat(500));
  await waitUntil(() => seen.length > 0, "some have run");
  socket.destroy();
  await within("the ingress closes", ingress[Symbol.asyncDispose]());
});
