// A delta is one transaction: its dot {origin, seq}, then the operations of each field it changed.
import { fieldKinds } from "@voda/proto/fields";
import { ByteReader, type ByteWriter, DecodeError } from "@voda/stdx";
import { CorruptError, SchemaError } from "./errors.ts";
import type { Field } from "./field.ts";

/** Names one transaction: who made it, and its number in the session. */
export interface Dot {
  /** The activation that wrote it, as 1 to 2^32 - 1. */
  readonly origin: number;
  /** Counts the transactions of the session from 1 without a gap. */
  readonly seq: number;
}

/** Operations of a field that this revision does not have. */
export interface UnknownChange {
  readonly name: string;
  readonly kind: number;
  readonly operations: Uint8Array;
}

/** One transaction as it was read: nothing of it is applied yet. */
export interface Delta {
  readonly dot: Dot;
  readonly changes: readonly { readonly index: number; readonly slot: unknown }[];
  readonly unknown: readonly UnknownChange[];
}

/** The highest number of an activation. It is a yjs client too, and those have 32 bits. */
export const originMax = 2 ** 32 - 1;

/** @throws RangeError when it is no number of an activation */
export function checkOrigin(origin: number): void {
  const fits = Number.isInteger(origin) && origin >= 1 && origin <= originMax;
  if (!fits) throw new RangeError(`origin ${origin} is not an integer of 1 to ${originMax}`);
}

/** Writes what `readDelta` begins with. */
export function writeDot(writer: ByteWriter, dot: Dot): void {
  writer.varint(dot.origin);
  writer.varint(dot.seq);
}

/** Reads without changing anything. @throws DecodeError | CorruptError | SchemaError */
export function readDelta(
  reader: ByteReader,
  fields: ReadonlyMap<string, { index: number; field: Field }>,
  expected: number,
): Delta {
  const dot = readDot(reader);
  if (dot.seq !== expected) throw new CorruptError(`transaction ${dot.seq} where ${expected} must follow`);
  const changes: { index: number; slot: unknown }[] = [];
  const unknown: UnknownChange[] = [];
  const names = new Set<string>();
  for (let left = reader.count(3); left > 0; left -= 1) {
    const name = reader.text();
    const kind = reader.u8();
    const operations = reader.block();
    // Which of two changes counts would be a matter of order, and no writer makes two.
    if (names.has(name)) throw new DecodeError(`field ${name} is changed twice in one transaction`);
    names.add(name);
    const known = fields.get(name);
    // Kept as bytes and given on in snapshots: the revision after this one may have the field again.
    if (known === undefined) unknown.push({ name, kind, operations: operations.slice() });
    else changes.push({ index: known.index, slot: decodeSlot(known.field, kind, operations) });
  }
  reader.end();
  return { dot, changes, unknown };
}

/** @throws SchemaError when bytes of this kind are not of the field's kind */
export function checkKind(field: Field, kind: number): void {
  if (kind === fieldKinds[field.kind].number) return;
  const known = Object.entries(fieldKinds).find(([, row]) => row.number === kind);
  throw new SchemaError(
    `field ${field.name} is a ${field.kind} in this revision ` +
      `and a ${known?.[0] ?? `field of kind ${kind}`} in the session; give it another name`,
  );
}

/** @throws DecodeError */
export function readDot(reader: ByteReader): Dot {
  const origin = reader.varint();
  if (origin < 1 || origin > originMax) throw new DecodeError(`origin ${origin} is not 1 to ${originMax}`);
  return { origin, seq: reader.varint() };
}

/** @throws DecodeError | SchemaError */
export function decodeSlot(field: Field, kind: number, operations: Uint8Array): unknown {
  checkKind(field, kind);
  const reader = new ByteReader(operations);
  const slot = field.decode(reader);
  reader.end();
  return slot;
}
