import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { StoreWatch } from "./store-watch.ts";

const mib = 1024 ** 2;

function watched(t: TestContext) {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const world = { free: 0, full: undefined as string | undefined, restarts: 0, said: [] as string[] };
  const watch = new StoreWatch({
    freeBytes: () => world.free,
    restart: () => {
      world.restarts += 1;
    },
    fullWords: () => world.full,
    say: (line) => world.said.push(line),
  });
  return { world, watch };
}

for (const line of [
  "[1] 2026/11/28 19:16:57 [ERR] Filestore [VODA_LOG_0] Critical write error: write 2.blk: no space left on device",
  "[1] 2026/11/28 19:16:42 [ERR] JetStream file resource limits exceeded for server",
]) {
  test(`a store that says "${line.slice(-40)}" is told once and started again once there is space`, (t) => {
    const { world, watch } = watched(t);
    watch.saw("[1] [INF] Server is ready");
    t.mock.timers.tick(5_000);
    assert.deepEqual(world.said, []);
    watch.saw(line);
    watch.saw(line);
    assert.equal(world.said.length, 1);
    assert.match(world.said[0] ?? "", /^nats-server stores nothing any more: .*; free space on the disk/);
    world.free = mib; // too little for a message
    t.mock.timers.tick(60_000);
    assert.equal(world.restarts, 0);
    world.free = 64 * mib;
    t.mock.timers.tick(1_000);
    assert.equal(world.restarts, 1);
    assert.match(world.said[1] ?? "", /^there is space again: nats-server is started again/);
    t.mock.timers.tick(60_000);
    assert.equal(world.restarts, 1);
    watch[Symbol.dispose]();
  });
}

test("a disk that has room again by the time the line is read, and gets no more, has its server started again", (t) => {
  const { world, watch } = watched(t);
  world.free = 1024 * mib;
  watch.saw("no space left on device");
  t.mock.timers.tick(1_000);
  assert.equal(world.restarts, 1);
  watch[Symbol.dispose]();
});

test("a server that ends is not started once more for what it still says", (t) => {
  const { world, watch } = watched(t);
  const now = t.mock.method(performance, "now", () => 0);
  watch.saw("no space left on device");
  world.free = 64 * mib;
  t.mock.timers.tick(1_000);
  watch.saw("no space left on device");
  watch.saw("[1] [INF] Starting nats-server");
  now.mock.mockImplementation(() => 60_000);
  t.mock.timers.tick(60_000);
  assert.deepEqual([world.restarts, world.said.length], [1, 2]);
  watch.saw("no space left on device");
  t.mock.timers.tick(1_000);
  assert.equal(world.restarts, 2);
  watch[Symbol.dispose]();
});

test("a store that is stuck again at once is not started again at once", (t) => {
  const { world, watch } = watched(t);
  watch.saw("no space left on device");
  world.free = 64 * mib;
  t.mock.timers.tick(1_000);
  watch.saw("[1] [INF] Starting nats-server");
  watch.saw("no space left on device");
  world.free = 128 * mib;
  t.mock.timers.tick(5_000);
  assert.equal(world.restarts, 1);
  watch[Symbol.dispose]();
});

test("a store that is nearly full is told once, and again when it was not in between", (t) => {
  const { world, watch } = watched(t);
  world.full = "81 % full (8.1 of 10.0 GiB)";
  t.mock.timers.tick(30_000);
  assert.deepEqual(world.said, ["the store is 81 % full (8.1 of 10.0 GiB)"]);
  world.full = undefined;
  t.mock.timers.tick(10_000);
  world.full = "90 % full (9.0 of 10.0 GiB)";
  t.mock.timers.tick(10_000);
  assert.equal(world.said.length, 2);
  watch[Symbol.dispose]();
});
