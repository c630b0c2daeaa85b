import assert from "node:assert/strict";
import { test } from "node:test";
import type { Traces } from "@voda/proto/mark";
import { sessionToken } from "@voda/proto/session";
import type { Requests } from "../nats/index.ts";
import { readTraces } from "./traces.ts";

const token = sessionToken({ namespace: "default", agent: "counter", key: "k" });

/** A leader that answers in the order of its questions, each time with the next of these. */
function leader(answers: readonly ("name" | "record" | "none")[]) {
  const asked: string[] = [];
  const waiting: (() => void)[] = [];
  const requests = {
    ask(_subject: string, body: string) {
      const found = answers[asked.length];
      asked.push(body.includes("last_by_subj") ? "name" : "record");
      const message = { seq: 1, subject: "s", time: "2026-01-01T00:00:00Z", data: "" };
      const answer =
        found === "none" ? { error: { err_code: 10_037, description: "no message" } } : { message };
      const { promise, resolve } = Promise.withResolvers<unknown>();
      waiting.push(() => resolve({ json: () => answer }));
      return promise;
    },
  } as Partial<Requests> as Requests;
  const read = async (): Promise<Traces> => {
    const found = readTraces(requests, token);
    while (waiting.length > 0) {
      for (const answer of waiting.splice(0)) answer();
      await new Promise(setImmediate);
    }
    return found;
  };
  return { asked, waiting, requests, read };
}

test("the name and the records are asked for at once", () => {
  const { asked, requests } = leader(["none", "none"]);
  void readTraces(requests, token);
  assert.deepEqual(asked, ["name", "record"]);
});

test("a lane is empty when there is neither, and that takes two questions", async () => {
  const at = leader(["none", "none"]);
  assert.equal(await at.read(), "nothing");
  assert.equal(at.asked.length, 2);
});

test("a record is found with a name and without", async () => {
  assert.equal(await leader(["none", "record"]).read(), "records");
  assert.equal(await leader(["name", "record"]).read(), "records");
});

test("a name without records is told only when a look after it finds none either", async () => {
  assert.equal(await leader(["name", "none", "none"]).read(), "name");
  assert.equal(await leader(["name", "none", "record"]).read(), "records", "it came between the two looks");
});
