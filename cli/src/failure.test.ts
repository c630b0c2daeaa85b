import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { failureOf } from "./failure.ts";

test("a control plane that does not answer in time is named, without advice that only calls can follow", () => {
  assert.deepEqual(failureOf(new ConnectError("the operation timed out", Code.DeadlineExceeded)), {
    line: "deadline_exceeded: the control plane did not answer in time; try again, or look into its log",
    exitCode: 4,
  });
});
