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
});

test("a flag that is wrong is named with its value and what it must be", () => {
  const wrong: Record<string, RegExp> = {
    "--listener-host=mesh": /"mesh" is not an IP address/,
    "--allow-origin=app.example": /"app\.example" is not an origin: /,
    "--durability=best": /"best" is none of process, replicated, disk/,
    "--placement-policy=luck": /"luck" is none of bpf, fgd, bestFit/,
  };
  for (const [flag, words] of Object.entries(wrong))
    assert.throws(() => readConfig(["--nats", "nats://a:1", "--edge-dir", "/e", flag]), {
      name: "FlagError",
      message: words,
    });
  assert.throws(() => readConfig(["--nats", "nats://a:1"]), /--edge-dir is missing/);
});
