import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorInfo, retryInfo } from "@voda/proto/errors";
import type { Reason, Code as WireCode } from "@voda/proto/wire";
import { adviceFor, failureOf } from "./failure.ts";

test("the reasons below a message are told, each once", () => {
  const refused = new Error("write EPROTO: ssl3_get_record:wrong version number");
  assert.equal(
    failureOf(new TypeError("fetch failed", { cause: refused })).line,
    "fetch failed: write EPROTO: ssl3_get_record:wrong version number; it does not speak TLS: write http://",
  );
  const line =
    "write EPROTO 40F3CAF8F97F0000:error:0A00010B:SSL routines:tls_validate_record_header:" +
    "wrong version number:../deps/openssl/openssl/ssl/record/methods/tlsany_meth.c:78:\n";
  assert.equal(
    failureOf(new TypeError("fetch failed", { cause: new Error(line) })).line,
    "fetch failed: write EPROTO wrong version number; it does not speak TLS: write http://",
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
  const line = (reason: Reason): string => {
    const answer = new ConnectError("not there", Code.NotFound);
    answer.details = [errorInfo(reason)];
    return failureOf(answer).line;
  };
  assert.equal(line("agent_not_found"), "not_found: not there; `npx voda agents ls` lists the agents");
  assert.equal(
    line("workflow_not_found"),
    "not_found: not there; `npx voda ps AGENT/KEY` names those of a session",
  );
  assert.equal(line("decision_not_found"), "not_found: not there; `npx voda ps` lists the sessions");
});

test("a control plane that does not answer in time is named, without advice that only calls can follow", () => {
  assert.deepEqual(failureOf(new ConnectError("the operation timed out", Code.DeadlineExceeded)), {
    line: "deadline_exceeded: the control plane did not answer in time; try again, or look into its log",
    exitCode: 4,
    facts: { code: "deadline_exceeded" },
  });
});

test("a call that may have had its effect is to be repeated with a key, one that ran too long is not", () => {
  const next = (code: WireCode, effect?: "unknown"): string | undefined =>
    adviceFor({ code, ...(effect !== undefined && { effect }) }).next;
  assert.match(next("deadline_exceeded", "unknown") ?? "", /--id/);
  assert.equal(next("deadline_exceeded"), undefined);
  assert.match(next("unavailable", "unknown") ?? "", /--id/);
  assert.match(next("unavailable") ?? "", /^try again/);
});
