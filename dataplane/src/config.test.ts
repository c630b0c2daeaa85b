import assert from "node:assert/strict";
import { isAbsolute } from "node:path";
import { test } from "node:test";
import { readConfig } from "./config.ts";

const needed = ["--nats", "nats://127.0.0.1:4222", "--node-id", "n1", "--data-dir", "data"];

test("what is not given has its default, and the folder is absolute", () => {
  const config = readConfig(needed);
  assert.ok(isAbsolute(config.dataDir));
  assert.deepEqual(
    [config.host, config.ingressPort, config.durability, config.logLevel, config.natsLogin],
    ["127.0.0.1", 0, "process", "info", undefined],
  );
  assert.ok(config.cpuMilli >= 1000 && config.memoryMib > 0);
  assert.throws(() => Object.assign(config, { host: "::1" }), TypeError);
});

test("what is given is taken", () => {
  const config = readConfig([
    ...needed,
    "--cpu-milli",
    "500",
    "--ingress-port",
    "8080",
    "--durability",
    "disk",
    "--nats-login",
    "/run/login",
  ]);
  assert.deepEqual(
    [config.cpuMilli, config.ingressPort, config.durability, config.natsLogin],
    [500, 8080, "disk", "/run/login"],
  );
});

test("a zone and an amount of disk are taken; without them the zone has no name and the disk is left to be read", () => {
  const config = readConfig([...needed, "--zone", "eu-west-1.a", "--disk-mib", "0"]);
  assert.deepEqual([config.zone, config.diskMib], ["eu-west-1.a", 0]);
  const bare = readConfig(needed);
  assert.deepEqual([bare.zone, bare.diskMib], [undefined, undefined]);
});

test("hosts and origins are lists, empty unless they are given", () => {
  const config = readConfig([
    ...needed,
    "--allow-host",
    "a.example,b",
    "--allow-origin",
    "https://a.example:8",
  ]);
  assert.deepEqual([config.allowHost, config.allowOrigin], [["a.example", "b"], ["https://a.example:8"]]);
  assert.ok(Object.isFrozen(config.allowHost) && Object.isFrozen(config.allowOrigin));
  const bare = readConfig(needed);
  assert.deepEqual([bare.allowHost, bare.allowOrigin], [[], []]);
});

test("a flag that is wrong is named with its value and what it must be", () => {
  for (const [flag, value, words] of [
    ["--cpu-milli", "0", "is not a positive whole number"],
    ["--memory-mib", "1.5", "is not a positive whole number"],
    ["--host", "localhost", "is not an IP address"],
    ["--durability", "none", "is none of process, replicated, disk"],
    ["--log-level", "all", "is none of debug, info, warn, error"],
    ["--disk-mib", "1.5", "is not a whole number"],
    ["--zone", "", "is not 1 to "],
    ["--zone", "a,b", "is not 1 to "],
    ["--gpu-part", "2", "is not INDEX/COUNT"],
    ["--node-id", "N1", "is not 1 to 63 of a-z, 0-9 and -"],
    ["--data-dir", "", "is empty"],
    ["--nats-login", "", "is empty"],
    ["--allow-host", "a.example:80", "is not a host: "],
    ["--allow-host", "http://a.example", "is not a host: "],
    ["--allow-origin", "a.example", "is not an origin: "],
    ["--allow-origin", "https://a.example/", "is not an origin: "],
    ["--allow-origin", "*", "is not an origin: "],
  ] as const)
    assert.throws(
      () => readConfig([...needed, flag, value]),
      (error: Error) => {
        assert.equal(error.name, "FlagError");
        assert.ok(error.message.startsWith(`${flag} ${JSON.stringify(value)} ${words}`), error.message);
        return true;
      },
    );
  assert.throws(
    () =>
      readConfig([
        ...needed,
        "--disk-mib",
        "2147483648",
        "--cpu-milli",
        "9".repeat(24),
        "--memory-mib",
        "2147483648",
      ]),
    /--cpu-milli 1e\+24 is over nodeCpuMilliMax 2147483647; --memory-mib 2147483648 is over nodeMemoryMibMax 2147483647; --disk-mib 2147483648 is over nodeDiskMibMax 2147483647/,
  );
  assert.throws(() => readConfig([...needed, "--gpu-part", "2/2"]), /--gpu-part .* has no such part/);
});
