import assert from "node:assert/strict";
import { test } from "node:test";
import { CliError, exitCodes } from "./failure.ts";
import { methodPath, parseSession } from "./session-argument.ts";

test("everything after the first slash is the key", () => {
  assert.deepEqual(parseSession("files/a/b"), { namespace: "default", agent: "files", key: "a/b" });
});

test("a path percent-encodes the key and leaves the default namespace out", () => {
  assert.equal(methodPath(parseSession("files/a/b ü"), "read"), "/agents/files/a%2Fb%20%C3%BC/read");
  assert.equal(methodPath(parseSession("files/a", "team"), "read"), "/namespaces/team/agents/files/a/read");
});

for (const [text, says] of [
  ["counter", /names no session; write AGENT\/KEY/],
  ["counter/", /the key is empty/],
  ["Counter/alice", /agent "Counter" is not a name/],
  [`counter/${"k".repeat(300)}`, /key of 300 bytes exceeds keyBytesMax 256/],
] as const) {
  test(`${text.slice(0, 20)} is a usage error that names the rule`, () => {
    assert.throws(
      () => parseSession(text),
      (error) => error instanceof CliError && error.exitCode === exitCodes.usage && says.test(error.message),
    );
  });
}
