import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/start.ts";
import { Child, type ChildEvents } from "./child.ts";
import { LogFile } from "./log-file.ts";
import { told } from "./readiness.ts";

/** Says what it does, and serves once it gets SIGUSR2. */
const recovering = `setInterval(() => undefined, 1000);
process.on("SIGUSR2", () => process.send({ ready: true }));
console.log("Restoring 9000000 messages");`;

test("a child that lives and is at work is never killed, and who waits is told for what", async (t) => {
  using folder = temporaryFolder();
  using log = new LogFile(join(folder.path, "nats.log"));
  const waiting: string[] = [];
  const spoke = Promise.withResolvers<void>();
  const events: ChildEvents = {
    onProcess: () => undefined,
    onReady: () => undefined,
    say: (words) => waiting.push(words),
    onGiveUp: (error) => assert.fail(error),
    onLine: () => spoke.resolve(),
  };
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const args = ["-e", recovering];
  const child = new Child({ name: "nats", command: process.execPath, args, readiness: told }, log, events);
  await spoke.promise;
  const { pid } = child;
  assert.ok(pid !== undefined);
  t.mock.timers.tick(5_000);
  for (let i = 0; i < 60; i += 1) t.mock.timers.tick(10_000);
  assert.equal(waiting.length, 61);
  assert.match(
    waiting[0] ?? "",
    /^waiting for nats, which has been starting for \d+ s; it said: Restoring 9000000 messages$/,
  );
  assert.equal(child.pid, pid);
  process.kill(pid, "SIGUSR2");
  await child.ready;
  t.mock.timers.tick(10_000);
  assert.equal(waiting.length, 61);
  t.mock.timers.reset();
  await child.stop(5_000);
});

test("what a child prints is never taken for its readiness", async () => {
  using folder = temporaryFolder();
  using log = new LogFile(join(folder.path, "n1.log"));
  const lines: string[] = [];
  const printed = Promise.withResolvers<void>();
  let isReady = false;
  const events: ChildEvents = {
    onProcess: () => undefined,
    onReady: () => {
      isReady = true;
    },
    say: () => undefined,
    onGiveUp: (error) => assert.fail(error),
    onLine: (line) => {
      lines.push(line);
      if (lines.length === 2) printed.resolve();
    },
  };
  const args = [
    "-e",
    `setInterval(() => undefined, 1000);
process.on("SIGUSR2", () => process.send({ ready: true }));
console.log("loading"); console.log('{"ready":true}');`,
  ];
  const child = new Child({ name: "n1", command: process.execPath, args, readiness: told }, log, events);
  await printed.promise;
  assert.deepEqual([lines, isReady], [["loading", '{"ready":true}'], false]);
  assert.ok(child.pid !== undefined);
  process.kill(child.pid, "SIGUSR2");
  await child.ready;
  await child.stop(5_000);
});
