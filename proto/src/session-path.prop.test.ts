import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { readPlainPath } from "./session-path.ts";

test("every key survives its way through a path", () => {
  const keys = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 40, size: "max" })
    .filter((key) => key.isWellFormed() && !/\p{Cc}/u.test(key));
  fc.assert(
    fc.property(keys, (key) => {
      fc.pre(Buffer.byteLength(key) <= 256);
      const path = readPlainPath(`/agents/probe/${encodeURIComponent(key)}/echo`);
      assert.deepEqual(path.type === "plain" && path.name.key, key);
    }),
  );
});
