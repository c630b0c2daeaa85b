import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as loopTick } from "node:timers/promises";
import { StoreError } from "../nats/index.ts";
import { openStoreRoom } from "./store-room.ts";

/** A server that answers when the test says so, and a disk that may fail. */
function rig(context: TestContext) {
  context.mock.timers.enable({ apis: ["setInterval"] });
  const folder = mkdtempSync(join(tmpdir(), "voda-store-room-"));
  const limitFile = join(folder, "limit");
  writeFileSync(limitFile, "1000");
  const asked: PromiseWithResolvers<{ storage: number }>[] = [];
  const failed: unknown[] = [];
  const full: string[] = [];
  const disk = { read: (): number => 1e9 };
  const room = openStoreRoom({
    requests: {
      ask: async () => {
        const answer = Promise.withResolvers<{ storage: number }>();
        asked.push(answer);
        const told = await answer.promise;
        return { json: () => told } as never;
      },
    },
    limitFile,
    freeBytes: async () => disk.read(),
    onFull: (words) => full.push(words),
    onFailed: (error) => failed.push(error),
  });
  context.after(() => rmSync(folder, { recursive: true }));
  /** The server answers the look that waits for it, and the next one begins. */
  const answer = async (storage: number | StoreError): Promise<void> => {
    const before = asked.length;
    if (storage instanceof StoreError) asked.at(-1)?.reject(storage);
    else asked.at(-1)?.resolve({ storage });
    while (asked.length === before) {
      context.mock.timers.tick(1_000);
      await loopTick();
    }
  };
  context.after(() => asked.at(-1)?.resolve({ storage: 1 }));
  context.after(() => room[Symbol.asyncDispose]());
  return { asked, failed, full, disk, limitFile, answer, tick: () => context.mock.timers.tick(1_000) };
}

test("a look that takes long leaves out the next ones", async (context) => {
  const { asked, answer, tick, full } = rig(context);
  tick();
  tick();
  await loopTick();
  assert.equal(asked.length, 1);
  await answer(990);
  assert.deepEqual([asked.length, full.length], [2, 1]);
});

test("a look that fails is said once until one succeeds, and one that the store does not answer never", async (context) => {
  const { failed, disk, answer } = rig(context);
  const fails = (words: string): void => {
    disk.read = () => {
      throw new Error(words);
    };
  };
  await answer(new StoreError("timeout"));
  assert.deepEqual(failed, []);
  fails("EIO");
  await answer(1);
  await answer(1);
  assert.deepEqual(failed.map(String), ["Error: EIO"]);
  disk.read = () => 1e9;
  await answer(1);
  fails("EIO again");
  await answer(1);
  assert.deepEqual(failed.map(String), ["Error: EIO", "Error: EIO again"]);
});

test("a store whose limit is not told here has that of its account", async (context) => {
  const { failed, full, limitFile, answer } = rig(context);
  rmSync(limitFile);
  await answer(1e12);
  assert.deepEqual([failed, full], [[], []]);
});
