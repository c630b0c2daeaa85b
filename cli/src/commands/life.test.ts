import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { LostSessionSchema } from "@voda/proto/api";
import { acceptedWords } from "./life.ts";

const lost = (lastSequence: bigint) =>
  create(LostSessionSchema, { acknowledgedPosition: 6n, acknowledgedSequence: 9n, lastSequence });

test("who accepts the loss of a session is told whether there is one at its end", () => {
  assert.match(acceptedWords(lost(5n)), /^goes on from its record at sequence 5 .* is given up$/);
  assert.match(acceptedWords(lost(9n)), /^has its last acknowledged record: nothing is given up, unless/);
});
