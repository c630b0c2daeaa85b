import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader, ByteWriter, DecodeError } from "@voda/stdx";
import { type FoldSnapshot, snapshotPart } from "./record-fold.ts";
import { noRecord } from "./words.ts";

const noPages: FoldSnapshot = {
  covers: 1,
  coversRid: noRecord,
  whole: true,
  released: false,
  inline: undefined,
  table: [],
};

function written(snapshot: FoldSnapshot): Uint8Array {
  const writer = new ByteWriter(64);
  snapshotPart.write(writer, snapshot);
  return writer.finish();
}

test("a table of the shortest page names there are is read as it was written", () => {
  const table = Array.from({ length: 3 }, (_, index) => ({
    name: { epoch: 1, index },
    hash: new Uint8Array(16).fill(index),
  }));
  const snapshot = { ...noPages, table };
  assert.deepEqual(snapshotPart.read(new ByteReader(written(snapshot))), snapshot);
});

test("a table of more pages than there are bytes for is damage, whatever it counts", () => {
  const head = written(noPages).subarray(0, -1);
  for (const count of [1, 2 ** 20, 2 ** 40]) {
    const writer = new ByteWriter(64);
    writer.varint(count);
    const bytes = Uint8Array.from([...head, ...writer.finish()]);
    assert.throws(() => snapshotPart.read(new ByteReader(bytes)), DecodeError, `${count} pages`);
  }
});
