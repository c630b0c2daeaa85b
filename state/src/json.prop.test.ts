import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "@voda/proto/fields";
import { ByteReader, ByteWriter, DecodeError } from "@voda/stdx";
import * as fc from "fast-check";
import { frozenJson, readJson, writeJson } from "./index.ts";

const json = fc.jsonValue({ stringUnit: "binary", maxDepth: 4 });

function encoded(value: Json): Uint8Array {
  const writer = new ByteWriter();
  writeJson(writer, value);
  return writer.finish();
}

test("every Json value comes back equal and frozen", () => {
  fc.assert(
    fc.property(json, (value) => {
      const copy = frozenJson(value, "value");
      const reader = new ByteReader(encoded(copy));
      const back = readJson(reader);
      reader.end();
      assert.deepEqual(back, copy);
      assert.ok(Object.isFrozen(back));
    }),
    { numRuns: 500 },
  );
});

test("every number comes back as itself", () => {
  const numbers = fc.oneof(fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true }));
  fc.assert(
    fc.property(numbers, (value) => {
      assert.ok(Object.is(readJson(new ByteReader(encoded(value))), value));
    }),
    { numRuns: 500, examples: [[-0]] },
  );
});

test("bytes that are no value are refused and nothing else happens", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64, size: "max" }), (bytes) => {
      try {
        readJson(new ByteReader(bytes));
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
