import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Nats, startNats, waitUntil } from "@voda/test/kit";
import { type Connection, directBatch, openConnection, openRequests } from "./index.ts";

/** No time passes: nothing is answered by a timeout. */
const still = { monotonicMs: () => 0, wallMs: () => 0 };
const unanswered = "$JS.API.DIRECT.GET.NONE";

let server: Nats;
let connection: Connection;
before(async () => {
  server = await startNats();
  connection = await openConnection({ url: server.url, name: "test" });
});
after(async () => {
  await connection[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

test("what waits for an answer when the connection is lost fails then, since none will come", async () => {
  using requests = openRequests(connection, still);
  const silent = await server.connect();
  silent.subscribe(unanswered, { callback: () => undefined }); // else the server says that nobody listens
  await silent.flush();
  const failures: string[] = [];
  const query = { stream: "NONE", filter: ">", seq: 1, count: 1 };
  for (const asked of [requests.ask(unanswered, ""), directBatch(requests, query)])
    asked.catch((error: unknown) => failures.push(String(error)));
  await connection.nats.flush();
  assert.deepEqual(failures, []);
  await server.kill9();
  await waitUntil(() => failures.length === 2, "both have failed");
  const lost = `StoreError: ${unanswered}: the connection to NATS was lost`;
  assert.deepEqual(failures, [lost, lost]);
});
