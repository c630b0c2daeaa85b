import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { stateBytesMax } from "@voda/proto/wire";
import { ByteReader, DecodeError } from "@voda/stdx";
import { envelopeBytes, openState, RefusedValueError, type SessionState } from "../index.ts";
import { LogField } from "./log.ts";
import { emptyLog } from "./log-value.ts";

const schema = { chat: { kind: "log" } } as const;
type S = typeof schema;
const open = (pages?: readonly Uint8Array[]): SessionState<S> => openState(schema, { crc32 }, pages);
type Log = ReturnType<SessionState<S>["begin"]>["state"]["chat"];

function turn(live: SessionState<S>, act: (chat: Log) => void): Uint8Array {
  const tx = live.begin();
  act(tx.state.chat);
  return tx.commit(1) ?? assert.fail("no delta");
}

const message = (number: number): { readonly role: string; readonly text: string } => ({
  role: number % 2 === 0 ? "user" : "assistant",
  text: `${number} ${"word ".repeat(200)}`,
});

function chatOf(messages: number): SessionState<S> {
  const live = open();
  for (let at = 0; at < messages; at += 100)
    turn(live, (chat) => {
      for (let i = at; i < Math.min(at + 100, messages); i += 1) chat.append(message(i));
    });
  return live;
}

test("entries keep their places, and are read from both ends", () => {
  const live = open();
  turn(live, (chat) => {
    for (const text of ["a", "b", "c", "d"]) chat.append(text);
    assert.equal(chat.redact(1), true);
    assert.equal(chat.redact(1), false, "it is empty already");
  });
  const { chat } = live.view().state;
  assert.equal(chat.length, 4);
  assert.deepEqual(
    [chat.at(0), chat.at(1), chat.at(-1), chat.at(4), chat.at(-5)],
    ["a", undefined, "d", undefined, undefined],
  );
  assert.deepEqual([...chat], ["a", "c", "d"]);
  assert.deepEqual(chat.last(2), ["c", "d"]);
  assert.deepEqual(chat.last(0), []);
  assert.deepEqual(chat.slice(1, -1), ["c"]);
  assert.deepEqual(
    [...chat.entries(1)],
    [
      [2, "c"],
      [3, "d"],
    ],
  );
  assert.equal(JSON.stringify({ chat }), '{"chat":["a","c","d"]}');
});

test("a log may be written while it is iterated: what comes is left out, what goes too", () => {
  const { state } = open().begin();
  for (const text of ["a", "b", "c"]) state.chat.append(text);
  const seen: unknown[] = [];
  for (const [place, text] of state.chat.entries()) {
    seen.push(text);
    state.chat.append("new");
    if (place === 0) state.chat.redact(1);
  }
  assert.deepEqual(seen, ["a", "c"]);
});

test("each of 300 messages of 1 KB writes itself, not the chat", () => {
  const live = open();
  for (let i = 0; i < 300; i += 1) {
    const delta = turn(live, (chat) => chat.append(message(i)));
    const payload = JSON.stringify(message(i)).length;
    assert.ok(delta.length <= payload * 1.05 + 64, `${delta.length} bytes for ${payload}`);
  }
  const before = new Set(live.snapshot().map(hex));
  turn(live, (chat) => chat.append(message(300)));
  const changed = live.snapshot().filter((page) => !before.has(hex(page)));
  assert.ok(changed.length <= 2, `the head and the last page, not ${changed.length} of ${before.size} pages`);
});

test("the newest 20 of 2,000 messages are in two pages: no other is looked at", () => {
  const [head = Uint8Array.of(), ...pages] = chatOf(2_000).snapshot();
  // Pages whose checksums are right, and which no reader of entries takes.
  const spoiled = pages.map((page, i) => (i < pages.length - 3 ? spoil(page) : page));
  const { chat } = open([sealAgain(headOf(head, spoiled)), ...spoiled]).view().state;
  const newest = Array.from({ length: 20 }, (_, i) => message(1_980 + i));
  assert.deepEqual(chat.last(20), newest);
  assert.deepEqual(chat.slice(-20), newest);
  assert.throws(() => chat.at(0), {
    name: "CorruptError",
    message: "log chat: the places from 0 on do not decode",
  });
});

test("what is redacted is in no page any more, whatever chunk it is in", () => {
  const live = chatOf(100);
  const secret = "hunter2";
  turn(live, (chat) => chat.append(`${secret} newest`));
  const places = [turnPlace(live, secret)];
  for (let i = 0; i < 100; i += 1) turn(live, (chat) => chat.append(message(i)));
  places.push(turnPlace(live, secret));
  assert.ok(live.snapshot().some((page) => Buffer.from(page).includes(secret)));
  turn(live, (chat) => {
    for (const place of [100, ...places]) assert.equal(chat.redact(place), true);
  });
  for (const page of live.snapshot()) assert.ok(!Buffer.from(page).includes(secret));
  const { chat } = open(live.snapshot()).view().state;
  assert.deepEqual([chat.length, chat.toJSON().length], [203, 200]);
});

function turnPlace(live: SessionState<S>, text: string): number {
  let place = -1;
  turn(live, (chat) => {
    place = chat.append(text);
  });
  return place;
}

test("a log that keeps its newest places writes no others, and takes no more room", () => {
  const kept = { chat: { kind: "log", keep: 50 } } as const;
  const live = openState(kept, { crc32 });
  let most = 0;
  for (let i = 0; i < 1_000; i += 1) {
    turn(live, (chat) => chat.append(message(i)));
    if (i >= 100) most = Math.max(most, live.bytes);
  }
  assert.ok(most < 200_000, `${most} bytes for 50 KB`);
  const again = openState(kept, { crc32 }, live.snapshot()).view().state.chat;
  assert.deepEqual([again.length, again.toJSON().length, again.at(949)], [1_000, 50, undefined]);
  assert.deepEqual(again.at(950), message(950));
  for (const page of live.snapshot()) assert.ok(!Buffer.from(page).includes("949 word"));
});

test("of a turn that appends more than is kept, only what is kept is written", () => {
  const live = openState({ chat: { kind: "log", keep: 2 } }, { crc32 });
  turn(live, (chat) => chat.append("old"));
  const delta = turn(live, (chat) => {
    for (let i = 0; i < 1_000; i += 1) chat.append(message(i));
    assert.deepEqual([...chat], [message(998), message(999)]);
  });
  assert.ok(delta.length < 3_000, `${delta.length} bytes`);
  assert.equal(live.view().state.chat.length, 1_001);
});

test("at the bound of its state a log that keeps its newest places goes on, another one is told", () => {
  const part = "x".repeat(900_000);
  const places = Math.floor(stateBytesMax / part.length);
  const going = openState({ chat: { kind: "log", keep: places - 1 } }, { crc32 });
  const full = open();
  for (let i = 0; i < places; i += 1)
    for (const live of [going, full]) turn(live, (chat) => chat.append(part));
  for (let i = 0; i < 5; i += 1) turn(going, (chat) => chat.append(part));
  const tx = full.begin();
  tx.state.chat.append(part);
  assert.throws(() => tx.commit(1), { name: "TooLargeError", message: /exceeds stateBytesMax 33554432/ });
  tx.rollback();
  turn(full, (chat) => chat.redact(0));
  turn(full, (chat) => chat.append(part));
});

test("what a log does not take is told by field, value and limit, and leaves the turn usable", () => {
  const live = open();
  const tx = live.begin();
  const { chat } = tx.state;
  chat.append("first");
  const untyped = (value: unknown): never => value as never;
  const refused: readonly (readonly [act: () => unknown, told: string])[] = [
    [() => chat.append(untyped(undefined)), "state.chat[1] is undefined; a value must be Json"],
    [
      () => chat.append({ text: "\ud800" }),
      "state.chat[1].text is a string with a lone surrogate; use well-formed Unicode",
    ],
    [() => chat.append(untyped(Number.NaN)), "state.chat[1] is NaN; Json numbers are finite"],
    [
      () => chat.append(untyped(Promise.resolve())),
      "state.chat[1] is a promise; write what it gives: await it",
    ],
    [() => chat.redact(1), "state.chat.redact(1): its places are 0 to 0"],
    [() => chat.redact(-1), "state.chat.redact(-1): its places are 0 to 0"],
    [() => chat.redact(untyped("0")), 'state.chat.redact("0"): it must be an integer'],
    [() => chat.at(0.5), "state.chat.at(0.5): it must be an integer"],
    [() => chat.last(untyped(undefined)), "state.chat.last(undefined): it must be an integer"],
    [() => chat.last(-1), "state.chat.last(-1): the count must be 0 or more"],
    [() => chat.slice(untyped(null)), "state.chat.slice(null): it must be an integer"],
    [() => chat.entries(0, untyped("2")), 'state.chat.entries("2"): it must be an integer'],
    [() => open().begin().state.chat.redact(0), "state.chat.redact(0): the log is empty"],
  ];
  for (const [act, told] of refused)
    assert.throws(act, (error) => error instanceof RefusedValueError && error.message === told, told);
  assert.throws(
    () => Object.assign(chat, { length: 0 }),
    /^TypeError: state\.chat\.length is only read: call/,
  );
  assert.throws(() => Object.assign(tx.state, { chat: [] }), /state\.chat is a log: it cannot be replaced/);
  tx.commit(1);
  const view = live.view().state as typeof tx.state;
  for (const write of [() => view.chat.append("x"), () => view.chat.redact(0)])
    assert.throws(write, /^TypeError: state\.chat cannot be written here: a view only reads$/);
  assert.deepEqual([...view.chat], ["first"]);
});

test("bytes that no log writes are refused", () => {
  const field = new LogField("chat", 0, { kind: "log", keep: 5 });
  const slot = {
    before: emptyLog(),
    start: 1,
    redacted: new Set<number>(),
    appended: ["a", "b"],
    after: undefined,
  };
  field.apply(field.prepare(slot));
  const operations: readonly (readonly number[])[] = [
    [], // nothing
    [1, 1, 1, 1, 0], // place 1 where 2 must follow
    [2, 0, 0, 0], // places that are gone
    [2, 1, 1, 10, 0], // an unknown tag
    [2, 1, 2, 1, 0], // two entries, one is there
    [2, 1, 0, 1, 0], // place 0 is redacted, and gone
    [2, 1, 0, 1, 2], // place 2 is redacted, and not there yet
    [2, 1, 0, 2, 1, 1], // one place twice
  ];
  for (const bytes of operations)
    assert.throws(() => field.decode(new ByteReader(Uint8Array.from(bytes))), DecodeError, String(bytes));
  const stored: readonly (readonly number[])[] = [
    [],
    [0, 1, 0], // an entry in no bytes
    [0, 1, 2, 1, 1], // a byte too many
    [0, 1, 1, 10], // an unknown tag
    [0, 1, 1, 1, 0, 0, 0], // two chunks at one place
    [0, 0, 0, 0, 1, 1, 1], // an empty chunk that is not the last
    [0, 2, 1, 1], // more entries than bytes
  ];
  for (const bytes of stored)
    assert.throws(() => new LogField("chat", 0, { kind: "log" }).load(Uint8Array.from(bytes)), DecodeError);
});

const hex = (page: Uint8Array): string => Buffer.from(page).toString("hex");

/** Every byte of its last entry becomes one that begins no value. */
function spoil(page: Uint8Array): Uint8Array {
  return sealAgain(Buffer.from(page).fill(0xff, page.length - 200));
}

function sealAgain(page: Uint8Array): Uint8Array {
  const bytes = Buffer.from(page);
  bytes.writeUInt32LE(0, 12);
  bytes.writeUInt32LE(crc32(bytes), 12);
  return Uint8Array.from(bytes);
}

/** The head with the checksums of other pages in the place of its own. */
function headOf(head: Uint8Array, pages: readonly Uint8Array[]): Uint8Array {
  const sums = pages.map((page) => page.subarray(12, envelopeBytes));
  return Buffer.concat([head.subarray(0, head.length - 4 * pages.length), ...sums]);
}
