import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { openState } from "@voda/state";
import { FrameError } from "../frame/index.ts";
import { StoredCheck } from "./stored-check.ts";

const unborn = { pages: [], deltas: [] };
const openCount = () => openState({ count: { kind: "counter" } }, { crc32 });

/** The next transaction of the state. */
function add(state: ReturnType<typeof openCount>): Uint8Array {
  const turn = state.begin();
  turn.state.count.add(1);
  return turn.commit(1) ?? assert.fail("it changes something");
}

const refused = (act: () => void, what: RegExp): void =>
  assert.throws(act, (error) => error instanceof FrameError && what.test(error.message));

/** Each single bit of it, flipped. */
function* flipped(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let bit = 0; bit < bytes.length * 8; bit += 1)
    yield bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)));
}

test("changes pass as they were written, and with any bit flipped they do not", () => {
  const [state, check] = [openCount(), new StoredCheck(unborn)];
  const first = add(state);
  for (const damaged of flipped(first)) refused(() => check.delta(damaged), /^changes of a turn: /);
  check.delta(first);
  check.delta(new Uint8Array(0));
  check.delta(add(state));
});

test("changes that do not follow those before are refused", () => {
  const [state, check] = [openCount(), new StoredCheck(unborn)];
  const [first, , third] = [add(state), add(state), add(state)];
  check.delta(first);
  refused(() => check.delta(third), /^transaction 3 where 2 must follow$/);
  refused(() => check.delta(first), /^transaction 1 where 2 must follow$/);
});

test("the first changes of an activation follow those that it was opened with", () => {
  const state = openCount();
  const deltas = [add(state), new Uint8Array(0), add(state)];
  const pages = state.snapshot();
  const [third, later] = [add(state), add(state)];
  for (const image of [
    { pages: [], deltas },
    { pages, deltas: [] },
  ]) {
    refused(() => new StoredCheck(image).delta(later), /^transaction 4 where 3 must follow$/);
    new StoredCheck(image).delta(third);
  }
  refused(() => new StoredCheck(unborn).delta(third), /^transaction 3 where 1 must follow$/);
});

test("nothing can follow what does not load", () => {
  const state = openCount();
  const [first, pages] = [add(state), state.snapshot()];
  const check = new StoredCheck({ pages: pages.slice(0, 1), deltas: [] });
  check.delta(new Uint8Array(0));
  refused(() => check.delta(first), /^transaction 1 of a state that does not load$/);
});

test("a snapshot passes when its pages are whole, belong together, and are of the last transaction", () => {
  const [state, check] = [openCount(), new StoredCheck(unborn)];
  const older = state.snapshot();
  check.delta(add(state));
  const pages = state.snapshot();
  for (const page of pages) check.page(page);
  check.snapshot(pages);
  for (const damaged of flipped(pages[0] ?? assert.fail())) refused(() => check.page(damaged), /^a page: /);
  refused(() => check.snapshot(older), /^a snapshot after transaction 0; the last one was 1$/);
  refused(() => check.snapshot(pages.slice(0, 1)), /^a snapshot: /);
  refused(() => check.snapshot([]), /^a snapshot: a snapshot without pages$/);
});
