import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { temporaryFolder } from "../../test/start.ts";
import { fillWords, isNearlyFull, storeBytesMax, storeFill } from "./store-fill.ts";

/** Enough to meet a folder that has just gone. */
const looks = 2_000;

test("how full a store is counts its files against the limit that its server was started with", () => {
  using folder = temporaryFolder();
  assert.equal(storeFill(folder.path), undefined);
  mkdirSync(join(folder.path, "nats", "jetstream"), { recursive: true });
  writeFileSync(join(folder.path, "nats", "jetstream", "1.blk"), Buffer.alloc(900));
  assert.ok(storeBytesMax(folder.path) > 900);
  writeFileSync(join(folder.path, "nats.conf"), "jetstream {\n  max_file_store: 1000\n}\n");
  const fill = storeFill(folder.path);
  assert.deepEqual(fill, { bytes: 900, bytesMax: 1000 });
  assert.ok(fill !== undefined && isNearlyFull(fill) && !isNearlyFull({ bytes: 700, bytesMax: 1000 }));
  assert.equal(
    fillWords({ bytes: 9.1 * 1024 ** 3, bytesMax: 10 * 1024 ** 3 }),
    "91 % full (9.1 of 10.0 GiB)",
  );
  assert.equal(
    fillWords({ bytes: 30 * 1024 ** 2, bytesMax: 30 * 1024 ** 2 }),
    "100 % full (30.0 of 30.0 MiB)",
  );
});

test("folders may vanish while they are counted: a store that is worked on is told as any other", async () => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "nats.conf"), "jetstream {\n  max_file_store: 1000\n}\n");
  const store = join(folder.path, "nats");
  mkdirSync(store);
  writeFileSync(join(store, "1.blk"), Buffer.alloc(900));
  await using vanishing = new Worker(
    `const { mkdirSync, rmSync } = require("node:fs");
    const { parentPort, workerData: store } = require("node:worker_threads");
    parentPort.postMessage("begun");
    for (;;) {
      mkdirSync(store + "/a/b/c", { recursive: true });
      rmSync(store + "/a", { recursive: true });
    }`,
    { eval: true, workerData: store },
  );
  await once(vanishing, "message");
  for (let look = 0; look < looks; look += 1)
    assert.deepEqual(storeFill(folder.path), { bytes: 900, bytesMax: 1000 });
});
