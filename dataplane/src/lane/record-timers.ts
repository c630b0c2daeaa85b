// What a session is to do later, as records have it (PROTOCOL.md 6.3).
import { type ByteReader, type ByteWriter, DecodeError } from "@voda/stdx";
import { type Recurrence, readSend, writeSend } from "../call/index.ts";
import type { TimerChange } from "./timers.ts";
import { readList, writeList } from "./words.ts";

/** A change is told by its first byte. */
const marks = { gone: 0, set: 1, cron: 2 } as const;

/** Of a record with turns: what changes. Of a fold: all that wait. */
export const timersPart = {
  isEmpty: (changes: readonly TimerChange[]): boolean => changes.length === 0,
  write: (writer: ByteWriter, changes: readonly TimerChange[]): void =>
    writeList(writer, changes, writeChange),
  read: (reader: ByteReader): TimerChange[] => readList(reader, 2, readChange),
};

function writeChange(writer: ByteWriter, change: TimerChange): void {
  const repeat = change.type === "set" ? change.timer.repeat : undefined;
  writer.u8(repeat?.type === "cron" ? marks.cron : marks[change.type]);
  if (change.type === "gone") return writer.text(change.id);
  const { timer } = change;
  writer.text(timer.id);
  writer.varint(timer.dueMs);
  if (repeat?.type === "cron") {
    writer.text(repeat.pattern);
    writer.text(repeat.zone);
  } else {
    writer.varint(repeat?.ms ?? 0);
  }
  writer.varint(timer.n);
  writeSend(writer, timer);
}

/** Bodies are views. @throws DecodeError */
function readChange(body: ByteReader): TimerChange {
  const mark = body.u8();
  if (mark > marks.cron) throw new DecodeError(`a timer with unknown flags 0x${mark.toString(16)}`);
  const id = body.text();
  if (mark === marks.gone) return { type: "gone", id };
  const dueMs = body.varint();
  const repeat = mark === marks.cron ? readCron(body) : everyOf(body.varint());
  return { type: "set", timer: { id, dueMs, repeat, n: body.varint(), ...readSend(body) } };
}

const readCron = (body: ByteReader): Recurrence => ({
  type: "cron",
  pattern: body.text(),
  zone: body.text(),
});

/** 0: there is only one time. */
const everyOf = (ms: number): Recurrence | undefined => (ms === 0 ? undefined : { type: "every", ms });
