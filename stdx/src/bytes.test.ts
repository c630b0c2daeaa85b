import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader, ByteWriter, utf8Length } from "./bytes.ts";

test("what finish gave stays as it was, whatever is written after it", () => {
  const writer = new ByteWriter(16);
  const given: Uint8Array[] = [];
  for (let length = 0; length < 3_000; length += 7) {
    writer.raw(new Uint8Array(length).fill(length % 251));
    given.push(writer.finish());
  }
  for (const [i, bytes] of given.entries()) {
    assert.equal(bytes.length, 7 * i);
    assert.ok(
      bytes.every((byte) => byte === (7 * i) % 251),
      `the one of ${bytes.length} bytes`,
    );
  }
});

test("a text is its UTF-8 after its length, whatever its size and its letters", () => {
  for (const letter of ["a", "é", "€", "😀", "\ud800", "\udc00a"]) {
    for (const count of [0, 1, 31, 42, 43, 63, 64, 127, 128, 2048, 4096, 4097]) {
      const text = letter.repeat(count);
      const [plain, whole] = [new ByteWriter(1), new ByteWriter(1)];
      plain.u8(7);
      plain.block(new TextEncoder().encode(text));
      plain.u8(8);
      whole.u8(7);
      whole.text(text);
      whole.u8(8);
      const bytes = whole.finish();
      assert.deepEqual(bytes, plain.finish(), `${count} of ${JSON.stringify(letter)}`);
      assert.equal(utf8Length(text), new TextEncoder().encode(text).length);
      const reader = new ByteReader(bytes);
      reader.u8();
      assert.equal(reader.text(), text.toWellFormed());
    }
  }
});
