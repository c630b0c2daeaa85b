import assert from "node:assert/strict";
import { test } from "node:test";
import { natsPayloadBytesMax } from "@voda/proto/wire";
import type { AppendOutcome } from "./ack.ts";
import {
  type AppendRequest,
  ackTimeoutMs,
  type Departure,
  inFlightBytesMax,
  inFlightMax,
  Pipeline,
} from "./pipeline.ts";

const appendOf = (bytes = 1): AppendRequest => ({
  subject: "s",
  fence: "f",
  expect: 0,
  payload: new Uint8Array(bytes),
});
const acked = (seq: number): AppendOutcome => ({ type: "acked", seq });
const unanswered: AppendOutcome = { type: "unanswered" };

/** A pipeline with so many appends in it, and what each has heard. */
function filled(count: number, bytes = 1) {
  const pipeline = new Pipeline();
  const heard: [number, AppendOutcome][] = [];
  for (let i = 0; i < count; i += 1)
    pipeline.add(appendOf(bytes), (outcome) => void heard.push([i, outcome]));
  const depart = (nowMs = 0): Departure => pipeline.depart(nowMs) ?? assert.fail("nothing departs");
  return { pipeline, heard, depart };
}

test("each hears its own outcome once, in whatever order answers come", () => {
  const { pipeline, heard, depart } = filled(3);
  const [first, second] = [depart(), depart()];
  assert.deepEqual([pipeline.queued, pipeline.inFlight], [1, 2]);
  pipeline.settle(second.token, acked(8));
  pipeline.settle(first.token, acked(9));
  pipeline.settle(first.token, acked(10));
  assert.deepEqual(heard, [
    [1, acked(8)],
    [0, acked(9)],
  ]);
  assert.deepEqual([pipeline.queued, pipeline.inFlight], [1, 0]);
  depart();
  assert.equal(pipeline.depart(0), undefined);
});

test("what is added departs as it was given, the first first", () => {
  const pipeline = new Pipeline();
  const [first, second] = [appendOf(), appendOf()];
  for (const append of [first, second]) pipeline.add(append, () => undefined);
  assert.equal(pipeline.depart(0)?.append, first);
  assert.equal(pipeline.depart(0)?.append, second);
});

test("so many bytes are on their way that one more answer makes room for one more append", () => {
  const fit = inFlightBytesMax / natsPayloadBytesMax;
  const { pipeline, heard, depart } = filled(fit + 2, natsPayloadBytesMax);
  const sent = Array.from({ length: fit }, () => depart());
  assert.equal(pipeline.depart(0), undefined);
  pipeline.settle(sent[0]?.token ?? assert.fail(), acked(1));
  depart();
  assert.equal(pipeline.depart(0), undefined);
  pipeline.giveUp();
  assert.equal(heard.length, fit + 2);
  pipeline.add(appendOf(natsPayloadBytesMax), () => undefined);
  depart();
});

test("inFlightMax are on their way; a place that is used again has another token, and a late answer finds nobody", () => {
  const { pipeline, heard, depart } = filled(inFlightMax + 2);
  const tokens = Array.from({ length: inFlightMax }, () => depart().token);
  assert.equal(new Set(tokens).size, inFlightMax);
  assert.equal(pipeline.depart(0), undefined);
  const last = tokens.at(-1) ?? assert.fail();
  pipeline.settle(last, acked(1));
  const again = depart().token;
  assert.ok(!tokens.includes(again));
  pipeline.settle(last, acked(2));
  assert.deepEqual(heard, [[inFlightMax - 1, acked(1)]]);
  pipeline.settle(again, acked(3));
  assert.deepEqual(heard.at(-1), [inFlightMax, acked(3)]);
});

test("what was sent ackTimeoutMs ago is unanswered, and nothing else is", () => {
  const { pipeline, heard, depart } = filled(4);
  depart(1_000);
  depart(1_001);
  const third = depart(5_000);
  pipeline.expire(1_000 + ackTimeoutMs - 1);
  assert.deepEqual(heard, []);
  pipeline.expire(1_000 + ackTimeoutMs);
  assert.deepEqual(heard, [[0, unanswered]]);
  pipeline.expire(1_001 + ackTimeoutMs);
  assert.deepEqual(heard.slice(1), [[1, unanswered]]);
  pipeline.settle(third.token, acked(3));
  assert.deepEqual([pipeline.queued, pipeline.inFlight], [1, 0]);
});

test("given up, all are unanswered at once, and what they append anew waits for its turn", () => {
  const pipeline = new Pipeline();
  const heard: string[] = [];
  const add = (name: string, then: () => void = () => undefined): void =>
    pipeline.add(appendOf(), ({ type }) => {
      heard.push(`${name} ${type}`);
      then();
    });
  add("sent", () => add("again"));
  const { token } = pipeline.depart(0) ?? assert.fail();
  add("queued");
  pipeline.giveUp();
  assert.deepEqual(heard, ["sent unanswered", "queued unanswered"]);
  assert.deepEqual([pipeline.queued, pipeline.inFlight], [1, 0]);
  const again = pipeline.depart(0) ?? assert.fail();
  pipeline.settle(token, acked(1));
  assert.equal(heard.length, 2);
  pipeline.settle(again.token, acked(2));
  assert.deepEqual(heard.slice(2), ["again acked"]);
});

test("a payload that the server would not take is a mistake of ours", () => {
  assert.throws(
    () => new Pipeline().add(appendOf(natsPayloadBytesMax + 1), () => undefined),
    /record of 8388609 bytes exceeds natsPayloadBytesMax 8388608/,
  );
});
