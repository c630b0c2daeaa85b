import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorInfo, retryInfo } from "@voda/proto/errors";
import { adviceFor, failureOf } from "./failure.ts";

test("the reasons below a message are told, each once", () => {
  const refused = new Error("write EPROTO: ssl3_get_record:wrong version number");
  assert.equal(
    failureOf(new TypeError("fetch failed", { cause: refused })).line,
    "fetch failed: write EPROTO: ssl3_get_record:wrong version number; it does not speak TLS: write http://",
  );
  assert.deepEqual(failureOf(new TypeError("fetch failed", { cause: new Error("bad port") })), {
    line: "fetch failed: bad port: `fetch` keeps it for another protocol; name another address with --url or VODA_URL",
    exitCode: 2,
  });
  const inner = new Error("disk is full");
  assert.equal(
    failureOf(new Error("not written: disk is full", { cause: inner })).line,
    "not written: disk is full",
  );
  assert.equal(
    failureOf(new ConnectError("transport", Code.Internal, undefined, undefined, inner)).line,
    "internal: transport: disk is full",
  );
});

test("an answer of the control plane keeps what programs match on", () => {
  const answer = new ConnectError("no room", Code.ResourceExhausted, { "x-request-id": "r-1" });
  answer.details = [errorInfo("no_capacity"), retryInfo(1500)];
  assert.deepEqual(failureOf(answer).facts, {
    code: "resource_exhausted",
    reason: "no_capacity",
    request: "r-1",
    retryAfterMs: 1500,
  });
});

test("what is not found leads to the list of its kind", () => {
  const line = (message: string): string => failureOf(new ConnectError(message, Code.NotFound)).line;
  assert.match(
    line('agent "x" is not deployed in namespace "default"'),
    /; `npx voda agents ls` lists the agents$/,
  );
  assert.match(
    line("no decision about session x/a is known: never placed"),
    /; `npx voda ps` lists the sessions$/,
  );
});

test("a control plane that does not answer in time is named, without advice that only calls can follow", () => {
  assert.deepEqual(failureOf(new ConnectError("the operation timed out", Code.DeadlineExceeded)), {
    line: "deadline_exceeded: the control plane did not answer in time; try again, or look into its log",
    exitCode: 4,
    facts: { code: "deadline_exceeded" },
  });
});

test("a call that may have had its effect is to be repeated with a key, one that ran too long is not", () => {
  const next = (message: string): string | undefined => adviceFor("deadline_exceeded", message).next;
  assert.match(next("the deadline passed; whether the call took effect is unknown") ?? "", /--id/);
  assert.equal(next("the turn ran longer than maxTurn 1000 ms and was undone"), undefined);
});
