import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfig } from "./config.ts";

test("flags become a frozen configuration with defaults", () => {
  const config = readConfig([
    "--nats",
    "nats://127.0.0.1:4222",
    "--edge-dir",
    "/run/voda",
    "--durability",
    "replicated",
  ]);
  assert.deepEqual(config, {
    nats: "nats://127.0.0.1:4222",
    natsLogin: undefined,
    edgeDir: "/run/voda",
    listener: { host: "127.0.0.1", port: 4000 },
    allowHosts: [],
    allowOrigins: [],
    replicas: 3,
    placementPolicy: "bpf",
  });
  assert.ok(Object.isFrozen(config));
});

test("a login in the address of nats is refused and never said", () => {
  assert.throws(
    () => readConfig(["--nats", "nats://u:secret@127.0.0.1:4222", "--edge-dir", "/tmp/e"]),
    /^ConfigError: --nats is not nats:\/\/host:port; a login goes into a file that --nats-login names$/,
  );
});

test("hosts and origins that may call come as lists between commas", () => {
  const config = readConfig([
    "--nats",
    "nats://127.0.0.1:4222",
    "--edge-dir",
    "/run/voda",
    "--allow-host",
    "mesh.example,mesh",
    "--allow-origin",
    "https://app.example,http://app:8080",
  ]);
  assert.deepEqual(
    [config.allowHosts, config.allowOrigins],
    [
      ["mesh.example", "mesh"],
      ["https://app.example", "http://app:8080"],
    ],
  );
  const wrong = ["--nats", "nats://127.0.0.1:4222", "--allow-origin", "app.example"];
  assert.throws(
    () => readConfig(wrong),
    /^ConfigError: --edge-dir is missing; --allow-origin "app\.example" is wrong: "app\.example" is not an origin: .*/,
  );
});

test("a flag that is unknown, missing or malformed is named with what it must be", () => {
  assert.throws(() => readConfig([]), /--nats is missing/);
  assert.throws(() => readConfig(["--nats", "127.0.0.1"]), /--nats is not nats:\/\/host:port/);
  assert.throws(
    () => readConfig(["--nats", "nats://a:1", "--listener-port", "70000"]),
    /--listener-port 70000 is not a port/,
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
    /Unknown option '--shards'.*; flags are --nats, --nats-login, --edge-dir/,
  );
});
