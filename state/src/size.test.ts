// The bound of a session's size: writes that would pass it are refused, and nothing else.
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { stateBytesMax } from "@voda/proto/wire";
import { TooLargeError } from "./errors.ts";
import { openState, type SessionState } from "./session-state.ts";

const schema = {
  items: { kind: "map" },
  title: { kind: "register" },
  notes: { kind: "text" },
  count: { kind: "counter" },
} as const;
type Sized = SessionState<typeof schema>;
const text = (bytes: number): string => "x".repeat(bytes);
const part = 900_000;

function write(state: Sized, act: (values: ReturnType<Sized["begin"]>["state"]) => unknown): void {
  const turn = state.begin();
  try {
    act(turn.state);
    turn.commit(1);
  } catch (error) {
    turn.rollback();
    throw error;
  }
}

/** As many entries as there is room for. */
function filled(): { state: Sized; entries: number } {
  const state = openState(schema, { crc32 });
  for (let entries = 0; ; entries += 1) {
    try {
      write(state, ({ items }) => items.set(`k${entries}`, text(part)));
    } catch (error) {
      assert.ok(error instanceof TooLargeError, String(error));
      assert.match(error.message, /bytes would grow to \d+, which exceeds stateBytesMax 33554432; remove/);
      return { state, entries };
    }
  }
}

test("a session takes writes up to its bound, and is as it was after one beyond it", () => {
  const { state, entries } = filled();
  assert.equal(entries, Math.floor(stateBytesMax / part));
  const before = state.snapshot();
  assert.throws(() => write(state, (values) => void (values.title = text(part))), TooLargeError);
  assert.throws(() => write(state, ({ notes }) => notes.append(text(part))), TooLargeError);
  assert.deepEqual(state.snapshot(), before);
});

test("at its bound a session still counts, replaces and removes, and then takes more again", () => {
  const { state, entries } = filled();
  write(state, ({ count }) => void count.add(1));
  write(state, ({ items }) => items.set("k0", text(part)));
  write(state, ({ items }) => items.delete("k1"));
  write(state, ({ items }) => items.set(`k${entries}`, text(part)));
  const again = openState(schema, { crc32 }, state.snapshot());
  assert.throws(() => write(again, ({ items }) => items.set("more", text(part))), TooLargeError);
});
