import assert from "node:assert/strict";
import { test } from "node:test";
import { seenKeepMs, seenMax } from "./constants.ts";
import { createSeen, fateOf, hasRoom, noteSeen, type Seen, seenAt } from "./seen.ts";

const source = (number: number): Uint8Array => {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32LE(number);
  return bytes;
};

/** So many sources, each of which sent letter 1 a millisecond after the one before. */
function seenOf(count: number) {
  const seen = createSeen();
  for (let i = 0; i < count; i += 1)
    noteSeen(seen, { source: source(i), n: 1, usedAtMs: i, isGivenUp: false });
  return seen;
}

const own = Buffer.alloc(16, 255);
const room = (seen: Seen, from: Uint8Array, running: number, nowMs: number): boolean =>
  hasRoom(seen, { source: from, own, running }, nowMs);

test("one place is kept for the session itself: what it sends to itself goes on however many others there are", () => {
  const seen = seenOf(seenMax - 1);
  assert.equal(room(seen, source(seenMax), 0, 0), false);
  assert.equal(room(seen, own, 0, 0), true);
  noteSeen(seen, { source: own, n: 1, usedAtMs: 0, isGivenUp: false });
  assert.equal(room(seen, own, 9, 0), true);
});

test("a new source has room while those that are known and those that run are fewer than seenMax", () => {
  const seen = seenOf(seenMax - 2);
  assert.equal(room(seen, source(seenMax), 0, 0), true);
  assert.equal(room(seen, source(seenMax), 1, 0), false, "the one that runs takes the last place");
  assert.equal(room(seen, source(3), 1, 0), true, "a known one has its place");
});

test("a source is forgotten when its last letter is seenKeepMs old and the room is needed, not before", () => {
  const seen = seenOf(seenMax - 1);
  assert.equal(room(seen, source(seenMax), 0, seenKeepMs - 1), false);
  assert.equal(fateOf(seen, source(0), 1), "taken");
  assert.equal(room(seen, source(seenMax), 1, seenKeepMs), false);
  assert.equal(room(seen, source(seenMax), 1, seenKeepMs + 1), true);
  assert.deepEqual([fateOf(seen, source(1), 1), fateOf(seen, source(2), 1)], ["open", "taken"]);
});

test("nobody is forgotten while there is room, and a fold carries on whoever is not too old", () => {
  const seen = seenOf(3);
  assert.equal(room(seen, source(9), 0, 2 * seenKeepMs), true);
  assert.equal(fateOf(seen, source(0), 1), "taken");
  assert.deepEqual(
    seenAt(seen, seenKeepMs + 1).map(({ usedAtMs }) => usedAtMs),
    [2],
  );
});
