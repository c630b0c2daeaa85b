import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, node, none } from "../../test/node-specs.ts";
import { Pool } from "../placement/index.ts";
import { callerRefusal, type Refused } from "../scheduler/index.ts";
import { answerOf, passed } from "./answer.ts";

const overQuota: Refused = {
  type: "refusal",
  retryMs: 1_000,
  reason: "quota",
  namespace: "team",
  miss: { amount: "sessions", used: 2, wanted: 1, limit: 2 },
};
const full = new Pool({ nodes: [node("n", { cores: 1 })] }).decide(ask("a", none, { cores: 2 }));
const text = (base64: string): string => Buffer.from(base64, "base64").toString("latin1");

test("a refusal for quota has a reason of its own, says the four numbers' meaning and names no time to try again", () => {
  const { status, headers, body } = answerOf(overQuota, "application/json");
  const json = JSON.parse(body) as {
    code: string;
    message: string;
    details: { type: string; value: string }[];
  };
  assert.deepEqual([status, headers["retry-after"], json.code], [429, undefined, "resource_exhausted"]);
  assert.equal(
    json.message,
    "namespace team uses 2 of its quota of 2 sessions and asks for 1 more; put sessions to sleep, or raise it with `voda quota set`",
  );
  assert.deepEqual(
    json.details.map(({ type }) => type),
    ["google.rpc.ErrorInfo"],
  );
  assert.match(text(json.details[0]?.value ?? ""), /namespace_quota/);
});

test("a refusal for quota is in the trailers that gRPC clients read", () => {
  const { headers, body } = answerOf(overQuota, "application/grpc+proto");
  assert.deepEqual([headers["grpc-status"], headers["retry-after"]], ["8", undefined]);
  assert.match(text(headers["grpc-status-details-bin"] ?? ""), /namespace_quota/);
  assert.match(body, /^namespace team uses 2 of its quota/);
});

test("a refusal for lack of room says when to try again", () => {
  assert.ok(full.type === "refusal");
  for (const [retryMs, seconds] of [
    [1_000, "1"],
    [250, "1"],
    [1_001, "2"],
  ] as const)
    assert.equal(answerOf({ ...full, retryMs }, "application/json").headers["retry-after"], seconds);
  const { body } = answerOf({ ...full, retryMs: 250 }, "application/json");
  assert.match(
    text((JSON.parse(body) as { details: { value: string }[] }).details[0]?.value ?? ""),
    /no_capacity/,
  );
});

test("without any node nothing is exhausted: Envoy hears no denial, and says itself that no node takes calls", () => {
  const alone = new Pool({ nodes: [] }).decide(ask("a", none));
  assert.ok(alone.type === "refusal");
  assert.deepEqual(answerOf({ ...alone, retryMs: 1_000 }, "application/json"), passed);
  assert.deepEqual(callerRefusal(alone, 1_000), {
    reason: "closed",
    message: "no node serves now; one that starts takes the call",
    retryAfterMs: 1_000,
  });
});
