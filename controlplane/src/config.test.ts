import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfig } from "./config.ts";

test("flags become a frozen configuration with defaults", () => {
  const config = readConfig([
    "--nats",
    "nats://127.0.0.1:4222",
    "--picker-port",
    "7000",
    "--durability",
    "replicated",
  ]);
  assert.deepEqual(config, {
    nats: "nats://127.0.0.1:4222",
    natsLogin: undefined,
    host: "127.0.0.1",
    apiPort: 0,
    pickerPort: 7000,
    xdsPort: 0,
    listener: { host: "127.0.0.1", port: 4000 },
    replicas: 3,
    placementPolicy: "bpf",
  });
  assert.ok(Object.isFrozen(config));
});

test("a flag that is unknown, missing or malformed is named with what it must be", () => {
  assert.throws(() => readConfig([]), /--nats is missing/);
  assert.throws(() => readConfig(["--nats", "127.0.0.1"]), /--nats "127.0.0.1" is not nats:\/\/host:port/);
  assert.throws(
    () => readConfig(["--nats", "nats://a:1", "--api-port", "70000"]),
    /--api-port 70000 is not a port/,
  );
  assert.throws(
    () => readConfig(["--nats", "nats://a:1", "--durability", "best"]),
    /"best" is not process, replicated or disk/,
  );
  assert.throws(
    () => readConfig(["--nats", "nats://a:1", "--placement-policy", "luck"]),
    /--placement-policy "luck" is none of bpf, fgd, bestFit/,
  );
  assert.throws(
    () => readConfig(["--nats", "nats://a:1", "--shards", "7"]),
    /Unknown option '--shards'.*; flags are --nats, --nats-login, --host/,
  );
});
