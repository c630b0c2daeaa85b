import assert from "node:assert/strict";
import { isAbsolute } from "node:path";
import { test } from "node:test";
import { parseConfig } from "./config.ts";

const needed = ["--nats", "nats://127.0.0.1:4222", "--node-id", "n1", "--data-dir", "data"];

test("what is not given has its default, and the folder is absolute", () => {
  const config = parseConfig(needed);
  assert.ok(isAbsolute(config["data-dir"]));
  assert.deepEqual(
    [config.host, config["ingress-port"], config.durability, config["log-level"], config["nats-login"]],
    ["127.0.0.1", 0, "process", "info", undefined],
  );
  assert.ok(config["cpu-milli"] >= 1000 && config["memory-mib"] > 0);
  assert.throws(() => Object.assign(config, { host: "::1" }), TypeError);
});

test("what is given is taken", () => {
  const config = parseConfig([
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
    [config["cpu-milli"], config["ingress-port"], config.durability, config["nats-login"]],
    [500, 8080, "disk", "/run/login"],
  );
  assert.throws(
    () => parseConfig(["--nats", "nats://u:secret@127.0.0.1:4222", ...needed.slice(2)]),
    /^Error: --nats: a login goes into a file that --nats-login names$/,
  );
});

test("a zone and an amount of disk are taken; without them the zone has no name and the disk is left to be read", () => {
  const config = parseConfig([...needed, "--zone", "eu-west-1.a", "--disk-mib", "0"]);
  assert.deepEqual([config.zone, config["disk-mib"]], ["eu-west-1.a", 0]);
  const bare = parseConfig(needed);
  assert.deepEqual([bare.zone, bare["disk-mib"]], [undefined, undefined]);
});

test("hosts and origins are lists, empty unless they are given", () => {
  const config = parseConfig([
    ...needed,
    "--allow-host",
    "a.example,b",
    "--allow-origin",
    "https://a.example:8",
  ]);
  assert.deepEqual(
    [config["allow-host"], config["allow-origin"]],
    [["a.example", "b"], ["https://a.example:8"]],
  );
  const bare = parseConfig(needed);
  assert.deepEqual([bare["allow-host"], bare["allow-origin"]], [[], []]);
});

test("an address of nats that is none is not said: it may hold a login", () => {
  assert.throws(
    () => parseConfig(["--nats", "nats://u:secret@a:port", ...needed.slice(2)]),
    /^Error: --nats: it is not nats:\/\/host:port$/,
  );
});

test("a flag that is wrong, missing or unknown is named", () => {
  for (const [flag, value] of [
    ["--cpu-milli", "0"],
    ["--memory-mib", "1.5"],
    ["--ingress-port", "65536"],
    ["--host", "localhost"],
    ["--durability", "none"],
    ["--disk-mib", "1.5"],
    ["--disk-mib", "2147483648"],
    ["--zone", ""],
    ["--zone", "a,b"],
    ["--node-id", "N1"],
    ["--allow-host", "a.example,B"],
    ["--allow-host", "a.example:80"],
    ["--allow-host", "http://a.example"],
    ["--allow-origin", "a.example"],
    ["--allow-origin", "https://a.example/"],
    ["--allow-origin", "*"],
    ["--nats", "somewhere"],
  ] as const) {
    assert.throws(() => parseConfig([...needed, flag, value]), new RegExp(`^Error: ${flag}: `), flag);
  }
  assert.throws(() => parseConfig([...needed, "--allow-host", "a.example,B"]), /: "B" is not a host: /);
  assert.throws(() => parseConfig(needed.slice(2)), /^Error: --nats: /);
  assert.throws(() => parseConfig([...needed, "--frobnicate", "1"]), /frobnicate/);
});
