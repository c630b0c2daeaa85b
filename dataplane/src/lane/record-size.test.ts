// The largest record of each kind fits what the store takes at once, whatever agents and callers do: each
// part takes at most what it counts, and all of them together are counted here.
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { keyBytesMax } from "@voda/proto/name";
import { natsPayloadBytesMax, pageBytesMax, stateBytesMax, turnBytesMax } from "@voda/proto/wire";
import { recordOf, sixteen } from "../../test/lane-rig.ts";
import {
  journalBytesMax,
  outboxBytesMax,
  outboxMessagesMax,
  type Send,
  sendBytes,
  stepBytesMax,
  timersMax,
  turnJournalBytesMax,
  turnStepsMax,
} from "../call/index.ts";
import {
  idsMax,
  inlineBytesMax,
  nodeClosesMax,
  nodeEndsMax,
  recordTurnsMax,
  retiredBytesMax,
  seenMax,
  storedBytesMax,
  suspectsMax,
  timersFiredMax,
} from "./constants.ts";
import { createDedupe, type Dedupe, rememberedAt, storeAnswer } from "./dedupe.ts";
import { bytesOf, createJournals, journalsAt, noteJournal } from "./journals.ts";
import { createOutbox, outboxAt, replayLetters, takeLetters } from "./outbox.ts";
import { outboxLagBytes } from "./outbox-room.ts";
import { encodeRecord, type FoldRecord, type LaneRecord } from "./record.ts";
import { createSeen, noteSeen, seenAt } from "./seen.ts";
import { applyTimers, createTimers, takeTimers, timersAt } from "./timers.ts";

const nowMs = Date.UTC(2199, 0, 1);
const n = 2 ** 35 - 1;
/** Numbers of letters follow the clock. */
const letter = nowMs * 1_024;
const cjk = (characters: number): string => "漢".repeat(characters);

const foldWith = (more: Partial<FoldRecord>): LaneRecord =>
  recordOf("f".repeat(32), n, undefined, { type: "fold", ...more });
const encode = (record: LaneRecord): Uint8Array => encodeRecord(record, crc32);
const emptyBytes = encode(foldWith({})).length;
/** Of what a fold says, in the record. */
const bytesIn = (more: Partial<FoldRecord>): number => encode(foldWith(more)).length - emptyBytes;

function idOf(number: number): Uint8Array {
  const id = sixteen(7);
  new DataView(id.buffer).setUint32(0, number);
  return id;
}
const hashes = { rawHash: sixteen(1), canonicalHash: sixteen(2) };

/** Answers under ids of their own, or each the only one of a client. */
function answersOf(count: number, bytes: number, type: "key" | "numbered"): Dedupe {
  const table = createDedupe();
  for (let i = 0; i < count; i += 1) {
    const key =
      type === "key" ? { id: idOf(i), keepMs: 7 * 86_400_000 } : { client: idOf(i), seq: n, lowest: n };
    storeAnswer(table, { type, ...hashes, ...key } as never, { n, storeMs: nowMs }, new Uint8Array(bytes));
  }
  return table;
}

const answers = {
  "as many ids as there may be": answersOf(idsMax, 0, "key"),
  "as many clients as there may be": answersOf(idsMax / 2, 0, "numbered"),
  "as many with a body as there is room for": answersOf(storedBytesMax / 1_064, 1_000, "key"),
  "a few large ones": answersOf(8, turnBytesMax, "key"),
};

/** Timers that are set, each with its last letter on its way, as far as the outbox has room. */
function timersOf(of: (i: number) => Send): Pick<FoldRecord, "outbox" | "timers"> {
  const sends: Send[] = [];
  let bytes = 0;
  for (let i = 0; sends.length < timersMax; i += 1) {
    const send = of(i);
    bytes += sendBytes(send);
    if (bytes > outboxBytesMax) break;
    sends.push(send);
  }
  const [outbox, timers] = [createOutbox(), createTimers()];
  outbox.next = letter;
  applyTimers(timers, takeTimers(timers, outbox, sends, { nowMs, fires: false }).changes);
  const isRepeated = ({ timing }: Send): boolean =>
    timing?.due.type === "every" || timing?.due.type === "cron";
  const fired = sends
    .filter(isRepeated)
    .map(({ agent, key, method, body }): Send => ({ agent, key, method, body }));
  const part = takeLetters(outbox, fired, nowMs);
  if (part !== undefined) replayLetters(Object.assign(outbox, { next: letter }), part);
  return { outbox: outboxAt(outbox), timers: timersAt(timers) };
}

const message = { agent: "a", key: cjk(85), method: "m".repeat(128), body: new Uint8Array(0) };
const messages: Record<string, Pick<FoldRecord, "outbox" | "timers">> = {
  "timers by the calendar with the longest of names": timersOf((i) => {
    const calendar = { pattern: cjk(128), zone: cjk(128), firstMs: nowMs };
    return { ...message, timing: { id: `${i}${cjk(120)}`, due: { type: "cron", ...calendar } } };
  }),
  "timers that come again": timersOf((i) => ({
    ...message,
    key: "k",
    method: "m",
    timing: { id: `${i}`, due: { type: "every", ms: 100 * 366 * 86_400_000 } },
  })),
  "large timers that come again": timersOf((i) => ({
    ...message,
    body: new Uint8Array(turnBytesMax / 3),
    timing: { id: `${i}`, due: { type: "every", ms: 1_000 } },
  })),
  "as many messages as there may be": (() => {
    const outbox = createOutbox();
    outbox.next = letter;
    const send = { ...message, key: "k", method: "m" };
    const count = Math.min(outboxMessagesMax, Math.floor(outboxBytesMax / sendBytes(send)));
    const part = takeLetters(
      outbox,
      Array.from({ length: count }, () => send),
      nowMs,
    );
    assert.ok(part !== undefined);
    return { outbox: part, timers: [] };
  })(),
};

/** Of turns whose journals are full, of entries of that size. */
function journalOf(name: string, resultBytes: number, times: number): FoldRecord["journal"] {
  const journals = createJournals();
  for (let turn = 0; turn < journalBytesMax / turnJournalBytesMax; turn += 1) {
    let bytes = 0;
    for (let i = 0; i < turnStepsMax; i += 1) {
      const drawn = { seed: sixteen(3), times: new Array<number>(times).fill(nowMs) };
      const result = new Uint8Array(resultBytes);
      const entry = { turnId: idOf(turn), name: `${i} ${name}`, drawn, result, expiresAtMs: nowMs + 1 };
      const one = { ...entry, canonicalHash: sixteen(2) };
      bytes += bytesOf(one);
      if (bytes > turnJournalBytesMax) break;
      noteJournal(journals, { entries: [one], ended: [] });
    }
  }
  return journalsAt(journals, nowMs);
}

const journals = {
  "many small steps with long names": journalOf(cjk(124), 0, 0),
  "large results": journalOf("s", stepBytesMax - 100, 0),
  "many times": journalOf("s", 0, 110),
};

const seen = (() => {
  const marks = createSeen();
  for (let i = 0; i < seenMax; i += 1)
    noteSeen(marks, { source: idOf(i), n: letter, usedAtMs: nowMs, isGivenUp: i % 2 === 0 });
  return seenAt(marks, nowMs);
})();

/** Pages of the largest snapshot: pages are at least half full. */
const pagesMax = (2 * stateBytesMax) / pageBytesMax;
const pageName = { epoch: n, index: n };
const pageBytes = 12;
const retired = [
  ...Array.from({ length: retiredBytesMax / (pageBytes + 12) }, () => ({ seq: n, names: [pageName] })),
  { seq: n, names: Array.from({ length: pagesMax }, () => pageName) },
];
const suspects = Array.from({ length: suspectsMax }, (_, i) => {
  const [source, incarnation] = [idOf(i), "f".repeat(32)];
  const mark = { source, n: letter, ends: nodeEndsMax, closes: nodeClosesMax, incarnation, atMs: nowMs };
  return { type: "begun", mark } as const;
});
const inline = { inline: [new Uint8Array(inlineBytesMax)] };
const table = Array.from({ length: pagesMax }, () => ({ name: pageName, hash: sixteen(3) }));

test("each part of a fold takes at most what it counts", () => {
  for (const [what, one] of Object.entries(answers)) {
    assert.ok(one.bytes <= storedBytesMax, `${what}: ${one.bytes} bytes counted`);
    assert.ok(bytesIn(rememberedAt(one, nowMs)) <= one.bytes, what);
  }
  for (const [what, part] of Object.entries(messages)) {
    assert.ok(bytesIn(part) <= outboxBytesMax, `${what}: ${bytesIn(part)} bytes`);
    assert.ok(bytesIn(part) > outboxBytesMax / 16, `${what}: ${bytesIn(part)} bytes fill nothing`);
  }
  for (const [what, journal] of Object.entries(journals)) {
    assert.ok(bytesIn({ journal }) <= journalBytesMax, `${what}: ${bytesIn({ journal })} bytes`);
    assert.ok(
      bytesIn({ journal }) > journalBytesMax / 4,
      `${what}: ${bytesIn({ journal })} bytes fill nothing`,
    );
  }
  assert.ok(bytesIn({ table }) <= inlineBytesMax, "names of pages take less than a snapshot in the fold");
});

/** The one that takes most. */
function largest(parts: readonly Partial<FoldRecord>[]): Partial<FoldRecord> {
  const [first] = parts.toSorted((a, b) => bytesIn(b) - bytesIn(a));
  assert.ok(first !== undefined);
  return first;
}
const mostAnswers = largest(Object.values(answers).map((one) => rememberedAt(one, nowMs)));
const mostMessages = largest(Object.values(messages));
const mostJournals = largest(Object.values(journals).map((journal) => ({ journal })));
const name = { namespace: "n".repeat(64), agent: "a".repeat(64), key: "k".repeat(keyBytesMax) };

test("the largest fold fits what the store takes at once, and so do all bounds together", () => {
  const fold = { name, seen, suspects, retired, ...inline, ...mostAnswers, ...mostMessages, ...mostJournals };
  const { length } = encode(foldWith(fold));
  const rest =
    bytesIn({ seen }) +
    bytesIn({ suspects }) +
    bytesIn({ retired }) +
    bytesIn({ name }) +
    bytesIn(inline) +
    emptyBytes;
  const all = storedBytesMax + outboxBytesMax + outboxLagBytes + journalBytesMax + rest;
  assert.ok(length <= all && all <= natsPayloadBytesMax, `${length} of ${all} bytes`);
});

test("the largest record with turns fits too: all timers fire, while a turn sets as many and journals are full", () => {
  const turn = { delta: new Uint8Array(0), answer: new Uint8Array(turnBytesMax) };
  const turns = Array.from({ length: recordTurnsMax }, (_, i) => ({
    ...turn,
    ...(i > 0 && { answer: new Uint8Array(0) }),
    key: { type: "key", id: idOf(i), keepMs: 7 * 86_400_000, ...hashes } as const,
  }));
  const letters = mostMessages.outbox?.letters ?? [];
  const ended = Array.from({ length: 2 * recordTurnsMax }, (_, i) => idOf(i));
  const buried = new Array<number>(outboxMessagesMax).fill(letter);
  const { length } = encode({
    ...recordOf("f".repeat(32), n),
    type: "turns",
    name,
    turns,
    seen: seen.slice(0, 2 * recordTurnsMax),
    outbox: { overBelow: letter, next: letter, letters: letters.slice(0, timersFiredMax), buried },
    timers: [...(mostMessages.timers ?? []), ...(mostMessages.timers ?? [])],
    journal: { entries: mostJournals.journal?.entries ?? [], ended },
    suspects,
  });
  const most = turnBytesMax + 2 * outboxBytesMax + journalBytesMax;
  assert.ok(length <= natsPayloadBytesMax && most <= natsPayloadBytesMax / 1.2, `${length} bytes`);
});
