// What every kind of field has in common. A field holds the committed value; layers above it hold what
// differs: the writes of the open transaction, or what an open view still sees of the past.
import type { FieldKind, Json } from "@voda/proto/fields";
import type { ByteReader, ByteWriter } from "@voda/stdx";

/**
 * Looks at a value before it is written and gives what is stored in its place.
 * @param where it is to stand, as in `state.title` @throws RefusedValueError when it does not fit
 */
export type Check = (value: unknown, where: string) => unknown;

/** One field as the schema declares it. */
export interface FieldSchema {
  readonly kind: FieldKind;
  /** What a register has before its first write. Default null; no other kind has one. */
  readonly initial?: Json;
  /** Of kinds that hold values. Default: every value that is Json. */
  readonly check?: Check;
  /** Of a log: how many of its newest places it keeps. Default all. */
  readonly keep?: number;
}

/**
 * One slot per field, in the order of the schema; `next` is the layer to ask when a slot is empty or lacks a
 * key.
 */
export interface Layer {
  readonly slots: unknown[];
  readonly next: Layer | undefined;
}

/** The life of one transaction or view: what its handles ask before they read or write. */
export interface Scope {
  readonly layer: Layer;
  /** @throws ClosedError */
  alive(): void;
  /** @throws ClosedError | TypeError */
  writable(field: string): void;
}

/**
 * `S` is the field's slot in a layer. What `prepare` and `decode` give is the same, so commit and replay are
 * one path. `apply` and `load` change the field; nothing else does, so that a delta may be encoded, refused
 * and encoded again.
 */
export interface Field<S = unknown> {
  readonly name: string;
  readonly kind: FieldKind;
  /** Roughly what it occupies in memory. */
  readonly bytes: number;
  /** The value's part of it: what `stateBytesMax` bounds. */
  readonly valueBytes: number;
  /** What `state.<name>` gives: the value of a register, else a handle. */
  access(scope: Scope): unknown;
  /** What `state.<name> = value` does. */
  assign(scope: Scope, value: unknown): void;
  /** Whether applying the slot would change anything. */
  changed(slot: S): boolean;
  /** The slot of a transaction as it is applied and encoded. @param origin who commits it */
  prepare(slot: S, origin: number): S;
  /** Roughly what a prepared slot will add to `valueBytes`; below 0 where it takes away. */
  growth(slot: S): number;
  /** Writes a prepared slot as operations of a delta. */
  encode(slot: S, writer: ByteWriter): void;
  /** Reads operations; changes nothing. @throws DecodeError */
  decode(reader: ByteReader): S;
  /** The slot that shows an older layer what `apply(slot)` is about to replace. */
  undo(slot: S): S;
  /** Adds a newer undo slot to an older one, which wins. */
  fold(newer: S, older: S | undefined): S;
  apply(slot: S): void;
  /** The committed value in pieces for pages; none when it is what an empty session has. */
  save(): readonly Uint8Array[];
  /** Takes the joined pieces of `save`. @throws DecodeError */
  load(bytes: Uint8Array): void;
}

/** The slot that a reader of `layer` sees, if any layer has one. */
export function findSlot(layer: Layer, index: number): unknown {
  for (let at: Layer | undefined = layer; at !== undefined; at = at.next) {
    const slot = at.slots[index];
    if (slot !== undefined) return slot;
  }
  return undefined;
}

/** What `state.<field>.<property> = value` does: without it, words of JavaScript's engine that name no field. */
export function refuseSet(field: string, property: string, instead: string): never {
  throw new TypeError(`state.${field}.${property} is only read: ${instead}`);
}

/** What `state.<name> = value` does where only methods change the field. */
export function refuseAssign(field: string, kind: FieldKind): never {
  throw new TypeError(`state.${field} is a ${kind}: it cannot be replaced, use its methods`);
}
