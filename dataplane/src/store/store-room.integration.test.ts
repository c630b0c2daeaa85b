import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "@voda/stdx";
import { startNats, waitUntil } from "@voda/test/kit";
import { type AppendOutcome, openCommit } from "../commit/index.ts";
import { openConnection, openRequests } from "../nats/index.ts";
import { createStreams } from "./index.ts";
import { openStoreRoom } from "./store-room.ts";

const mib = 1024 ** 2;

test("a disk that others fill refuses writes with words, before nats-server is stuck, and takes them again", async (t) => {
  const cleanup = new AsyncDisposableStack();
  t.after(() => cleanup.disposeAsync());
  const server = cleanup.use(await startNats());
  const connection = cleanup.use(await openConnection({ url: server.url, name: "test" }));
  const requests = cleanup.use(openRequests(connection, systemClock));
  await createStreams(requests, 1);
  const commit = cleanup.use(openCommit(connection, systemClock));
  const folder = mkdtempSync(join(tmpdir(), "voda-room-"));
  cleanup.defer(() => rmSync(folder, { recursive: true }));
  const limitFile = join(folder, "store-limit");
  writeFileSync(limitFile, String(1000 * mib));

  let free = 500 * mib;
  let looks = 0;
  const asked: string[] = [];
  const told: string[] = [];
  const room = cleanup.use(
    openStoreRoom({
      requests,
      limitFile,
      freeBytes: (at) => {
        looks += 1;
        asked.push(at);
        return Promise.resolve(free);
      },
      onFull: (words) => told.push(words),
      onFailed: (error) => assert.fail(String(error)),
    }),
  );
  const appends = room.guard(commit);
  let expect = 0;
  const append = async (): Promise<AppendOutcome> => {
    // two more: the first of them may have begun before the disk changed
    const enough = looks + 2;
    await waitUntil(() => looks >= enough, "the room is looked at");
    return new Promise((resolve) =>
      appends.append(
        { subject: "v.log.t.a", fence: "v.log.t.a", expect, payload: new Uint8Array(9) },
        resolve,
      ),
    );
  };

  const first = await append();
  assert.ok(first.type === "acked", JSON.stringify(first));
  expect = first.seq;
  free = 10 * mib;
  const refused = await append();
  assert.ok(refused.type === "error");
  assert.match(
    refused.description,
    /^it holds \d+ of 10\d+ bytes that its disk has room for, and the last 67108864 /,
  );
  assert.match(refused.description, /; free space on the disk of nats-server's store$/);
  assert.equal(told.length, 1);
  free = 500 * mib;
  assert.equal((await append()).type, "acked");
  assert.deepEqual(new Set(asked), new Set([folder]));
});
