import assert from "node:assert/strict";
import { test } from "node:test";
import * as v from "valibot";
import { FlagError, list, natsUrl, path, port, readFlags } from "./flags.ts";

const entries = {
  nats: natsUrl,
  natsLogin: v.optional(path),
  listenerPort: v.optional(port, "4000"),
  allow: v.optional(
    list((one) => (one === "B" ? "is not one" : undefined)),
    "",
  ),
};
const given = ["--nats", "nats://a:1"];

function refusal(...args: readonly string[]): string {
  let words = "";
  assert.throws(
    () => readFlags(entries, args),
    (error) => {
      assert.ok(error instanceof FlagError);
      assert.equal(error.cause, undefined);
      assert.doesNotMatch(String(error.stack), /secret/);
      words = error.message;
      return true;
    },
  );
  return words;
}

test("flags become frozen values, with defaults for those that are not given", () => {
  const flags = readFlags(entries, given);
  assert.deepEqual(flags, { nats: "nats://a:1", natsLogin: undefined, listenerPort: 4000, allow: [] });
  assert.ok(Object.isFrozen(flags) && Object.isFrozen(flags.allow));
  const all = [...given, "--nats-login", "f", "--listener-port", "0", "--allow", "a,c"];
  assert.deepEqual(readFlags(entries, all), {
    nats: "nats://a:1",
    natsLogin: "f",
    listenerPort: 0,
    allow: ["a", "c"],
  });
});

test("all that is wrong is told at once, each with its value and what it must be", () => {
  assert.equal(
    refusal("--nats-login", "", "--listener-port", "x"),
    '--nats is missing; --nats-login "" is empty; --listener-port "x" is not a port',
  );
  assert.equal(
    refusal(...given, "--listener-port", "65536"),
    "--listener-port 65536 is not a port of 0 to 65535",
  );
  assert.equal(refusal(...given, "--allow", "a,B"), '--allow "B" is not one');
});

test("an address of another protocol is none of nats", () => {
  for (const url of ["http://a:1", "a:1", "nats://a/b", ""])
    assert.match(
      refusal("--nats", url),
      new RegExp(`^--nats ${JSON.stringify(url)} is not nats://host:port`),
      url,
    );
});

test("an unknown flag, and one without its value, are told with the flags there are", () => {
  const there = "flags are --nats, --nats-login, --listener-port, --allow";
  assert.match(refusal(...given, "--shards", "7"), new RegExp(`Unknown option '--shards'.*; ${there}$`));
  assert.match(refusal("--nats"), new RegExp(`argument missing; ${there}$`));
});

test("a login is never said, wherever it stands", () => {
  const login = "nats://u:secret@a:1";
  assert.equal(
    refusal("--nats", login),
    "--nats is not nats://host:port; a login goes into a file that --nats-login names",
  );
  assert.match(refusal(login), /^an argument has no flag before it; flags are /);
  assert.equal(refusal(...given, "--listener-port", login), "--listener-port is not a port");
});
