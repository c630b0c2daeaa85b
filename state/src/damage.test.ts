// Every single bit and every length of what is durable: nothing but the bytes that were written is taken.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { DecodeError } from "@voda/stdx";
import { CorruptError, openState, UnsupportedFormatError } from "./index.ts";

/** Folders of `testdata`, and what the names of their files begin with. */
const histories = [
  [1, ""],
  [2, ""],
  [2, "log-"],
  [2, "set-"],
  [2, "list-"],
] as const;

const schema = {
  profile: { kind: "register", initial: null },
  visits: { kind: "counter" },
  items: { kind: "map" },
  notes: { kind: "text" },
  chat: { kind: "log", keep: 4 },
  tags: { kind: "set" },
  steps: { kind: "list" },
} as const;
const open = (pages?: readonly Uint8Array[]) => openState(schema, { crc32 }, pages);

function golden(format: number, name: string): Uint8Array[] {
  const text = readFileSync(new URL(`../testdata/format-${format}/${name}.hex`, import.meta.url), "utf8");
  const lines = text.trim().split("\n");
  return lines.map((line) => Uint8Array.from(Buffer.from(line, "hex")));
}

function* damages(bytes: Uint8Array): Iterable<readonly [what: string, bytes: Uint8Array]> {
  for (let bit = 0; bit < bytes.length * 8; bit += 1)
    yield [`bit ${bit}`, bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)))];
  for (let length = 0; length < bytes.length; length += 1)
    yield [`length ${length}`, bytes.subarray(0, length)];
  yield ["a byte more", Uint8Array.of(...bytes, 0)];
}

function refuses(act: () => unknown, what: string): void {
  assert.throws(
    act,
    (error) =>
      error instanceof DecodeError ||
      error instanceof CorruptError ||
      error instanceof UnsupportedFormatError,
    what,
  );
}

for (const [format, prefix] of histories) {
  test(`a delta of ${prefix}format ${format} with any bit flipped, or cut anywhere, leaves no trace`, () => {
    const live = open();
    for (const delta of golden(format, `${prefix}deltas`)) {
      const before = live.snapshot();
      for (const [what, damaged] of damages(delta)) refuses(() => live.apply(damaged), what);
      assert.deepEqual(live.snapshot(), before);
      live.apply(delta);
    }
  });

  test(`a snapshot of ${prefix}format ${format} with any bit of any page flipped, or cut anywhere, is refused`, () => {
    const pages = golden(format, `${prefix}pages`);
    for (const [index, page] of pages.entries())
      for (const [what, damaged] of damages(page))
        refuses(() => open(pages.with(index, damaged)), `page ${index}, ${what}`);
    for (let missing = 0; missing < pages.length; missing += 1)
      refuses(() => open(pages.toSpliced(missing, 1)), `without page ${missing}`);
    assert.equal(open(pages).seq, golden(format, `${prefix}deltas`).length);
  });
}
