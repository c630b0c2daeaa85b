import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { freePort, leakCheck, startNats, waitUntil } from "@voda/test/kit";
import { openConnection } from "./index.ts";

test("a server that is not there at the start is told with the flag that names it", async () => {
  const url = `nats://127.0.0.1:${await freePort()}`;
  await assert.rejects(openConnection({ url, name: "test" }), {
    message: `no nats-server answers at ${url}; start one, or pass another --nats`,
  });
});

/** When one that dials almost without a pause gets through. */
function heardMs(port: number): Promise<number> {
  const dial = async (): Promise<number> => {
    const socket = connect(port, "127.0.0.1");
    const isHeard = await once(socket, "data").then(
      () => true,
      () => false,
    );
    socket.destroy();
    return isHeard ? performance.now() : 0;
  };
  return waitUntil(dial, "the server is heard");
}

test("a server that is back is found 150 ms after the first that dials, however long it was away", async (t) => {
  const nothingLeaked = leakCheck();
  await using server = await startNats();
  await using connection = await openConnection({ url: server.url, name: "test" });
  let backAtMs = 0;
  connection.onEvent(({ type }) => {
    if (type === "reconnected") backAtMs = performance.now();
  });
  const took: number[] = [];
  for (const awayMs of [0, 700, 1500]) {
    await server.kill9();
    await waitUntil(() => !connection.isUp(), "the connection is down");
    const downAtMs = performance.now();
    await waitUntil(() => performance.now() - downAtMs >= awayMs, "it was away for so long");
    const first = heardMs(server.port);
    await server.restart();
    await waitUntil(() => connection.isUp(), "the connection is up");
    took.push(backAtMs - (await first));
  }
  // a busy machine may slow one of them
  assert.ok(Math.min(...took.slice(1)) <= 150, `ms: ${took.join(", ")}`);
  t.after(nothingLeaked);
});
