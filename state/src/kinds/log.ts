import type { Json, LogState } from "@voda/proto/fields";
import { type ByteReader, type ByteWriter, DecodeError } from "@voda/stdx";
import { CorruptError, RefusedValueError } from "../errors.ts";
import { type Field, type FieldSchema, findSlot, refuseAssign, refuseSet, type Scope } from "../field.ts";
import { frozenJson, givenText, readOptionalJson, writeJson } from "../json.ts";
import {
  type Chunk,
  decodeChunk,
  type Entry,
  edited,
  emptyLog,
  entryAt,
  type LogValue,
  loadLog,
  logBytes,
  saveLog,
} from "./log-value.ts";

interface LogSlot {
  /** What the edit is made to. */
  readonly before: LogValue;
  /** From here on places are kept. */
  start: number;
  readonly redacted: Set<number>;
  /** Of the places from `before.length` on. */
  readonly appended: Entry[];
  /** `before` with the edit, once it is prepared, or of a delta that came. */
  readonly after: LogValue | undefined;
}

/**
 * Json values that are appended. Its operations name places, which never change; what is stored is cut into
 * chunks, which are decoded when somebody reads them.
 */
export class LogField implements Field<LogSlot> {
  readonly kind = "log";
  readonly name: string;
  readonly check: FieldSchema["check"];
  readonly keep: number;
  readonly index: number;
  /** What is committed, as an edit that changes nothing: it is never written to. */
  #committed = unedited(emptyLog());
  /** Of what is committed, once they are asked for. */
  #saved: readonly Uint8Array[] | undefined = [];
  /** The chunk that was read last: whoever reads on finds the next entry there. */
  #read: { readonly chunk: Chunk; readonly entries: readonly Entry[] } | undefined;

  constructor(name: string, index: number, { check, keep = Number.POSITIVE_INFINITY }: FieldSchema) {
    this.name = name;
    this.index = index;
    this.check = check;
    this.keep = keep;
  }

  /** The pieces of sealed chunks are those of the value itself. */
  get bytes(): number {
    return this.valueBytes + (this.#saved?.at(-1)?.length ?? 0);
  }

  get valueBytes(): number {
    return logBytes(this.#committed.before);
  }

  access(scope: Scope): LogState<Json> {
    scope.alive();
    return Object.freeze(new LogHandle(this, scope));
  }

  assign(): void {
    refuseAssign(this.name, this.kind);
  }

  /** The edit that a scope sees. */
  seen(scope: Scope): LogSlot {
    scope.alive();
    return (findSlot(scope.layer, this.index) as LogSlot | undefined) ?? this.#committed;
  }

  /** The edit of the scope's transaction, which nobody else has. */
  edit({ layer }: Scope): LogSlot {
    return (layer.slots[this.index] ??= unedited(this.#committed.before)) as LogSlot;
  }

  entryAt({ before, start, redacted, appended }: LogSlot, place: number): Entry {
    if (place < start || redacted.has(place)) return undefined;
    return place < before.length ? entryAt(before, place, this.#entries) : appended[place - before.length];
  }

  /** An entry that the turn itself has redacted counts: it has a place. */
  changed({ redacted, appended }: LogSlot): boolean {
    return appended.length > 0 || redacted.size > 0;
  }

  /** What was appended and is not kept is left out, so that a commit does what its delta does. */
  prepare(slot: LogSlot): LogSlot {
    const { before, start } = slot;
    const redacted = [...slot.redacted].filter((place) => place >= start).sort((a, b) => a - b);
    const appended = slot.appended.slice(Math.max(0, start - before.length));
    const after = edited(before, { start, redacted, appended }, this.#entries);
    return { before, start, redacted: new Set(redacted), appended, after };
  }

  /** Below 0 where more is dropped than appended: a log at the bound of its session may go on. */
  growth({ before, after }: LogSlot): number {
    return after === undefined ? 0 : logBytes(after) - logBytes(before);
  }

  /** Where it begins comes first: replayed anywhere else, it is refused. */
  encode({ before, start, redacted, appended }: LogSlot, writer: ByteWriter): void {
    writer.varint(before.length);
    writer.varint(start);
    writer.varint(appended.length);
    for (const entry of appended) writeJson(writer, entry);
    writer.varint(redacted.size);
    for (const place of redacted) writer.varint(place);
  }

  decode(reader: ByteReader): LogSlot {
    const { before } = this.#committed;
    const length = reader.varint();
    const start = reader.varint();
    if (length !== before.length)
      throw new DecodeError(`log ${this.name}: place ${length} where ${before.length} must follow`);
    const appended = Array.from({ length: reader.count() }, () => readOptionalJson(reader));
    if (start < before.start || start > Number.MAX_SAFE_INTEGER - appended.length)
      throw new DecodeError(`log ${this.name}: place ${start} cannot be the first that is kept`);
    const redacted = Array.from({ length: reader.count() }, () => reader.varint());
    if (redacted.some((place, i) => place < (redacted[i - 1] ?? start - 1) + 1 || place >= length))
      throw new DecodeError(`log ${this.name}: a place is redacted that cannot be`);
    const after = edited(before, { start, redacted, appended }, this.#entries);
    return { before, start, redacted: new Set(redacted), appended, after };
  }

  /** A version is never changed: keeping it costs nothing. */
  undo(): LogSlot {
    return this.#committed;
  }

  /** The older one is what the older view has to see. */
  fold(newer: LogSlot, older: LogSlot | undefined): LogSlot {
    return older ?? newer;
  }

  /** The versions before stay as they are, for views. */
  apply({ after }: LogSlot): void {
    if (after === undefined)
      throw new TypeError(`log ${this.name}: an edit is applied that was not prepared`);
    this.#committed = unedited(after);
    this.#saved = undefined;
  }

  /** Sealed chunks are given as they are: only the open one is encoded. */
  save(): readonly Uint8Array[] {
    this.#saved ??= saveLog(this.#committed.before, this.#entries);
    return this.#saved;
  }

  load(bytes: Uint8Array): void {
    this.#committed = unedited(loadLog(bytes.slice()));
    this.#saved = undefined;
  }

  readonly #entries = (chunk: Chunk): readonly Entry[] => {
    if (this.#read?.chunk !== chunk) this.#read = { chunk, entries: this.#decoded(chunk) };
    return this.#read.entries;
  };

  /** Pages were looked at as bytes when they were loaded; what is in them shows only here. */
  #decoded(chunk: Chunk): readonly Entry[] {
    try {
      return decodeChunk(chunk);
    } catch (cause) {
      throw new CorruptError(`log ${this.name}: the places from ${chunk.first} on do not decode`, { cause });
    }
  }
}

const unedited = (before: LogValue): LogSlot => ({
  before,
  start: before.start,
  redacted: new Set(),
  appended: [],
  after: undefined,
});

const lengthOf = ({ before, appended }: LogSlot): number => before.length + appended.length;

/** What handlers hold; it reads through the layers of its scope. */
class LogHandle implements LogState<Json> {
  readonly #field: LogField;
  readonly #scope: Scope;

  constructor(field: LogField, scope: Scope) {
    this.#field = field;
    this.#scope = scope;
  }

  get length(): number {
    return lengthOf(this.#field.seen(this.#scope));
  }

  set length(_: unknown) {
    const { name } = this.#field;
    refuseSet(name, "length", `call state.${name}.append(value), or .redact(place)`);
  }

  at(place: number): Json | undefined {
    this.#checkInteger("at", place);
    const seen = this.#field.seen(this.#scope);
    return this.#field.entryAt(seen, place < 0 ? lengthOf(seen) + place : place);
  }

  /** From the end on, past empty places, and no farther than it must. */
  last(count: number): Json[] {
    this.#checkInteger("last", count);
    if (count < 0) this.#refuse(`last(${count})`, "the count must be 0 or more");
    const seen = this.#field.seen(this.#scope);
    const found: Json[] = [];
    for (let place = lengthOf(seen) - 1; place >= seen.start && found.length < count; place -= 1) {
      const entry = this.#field.entryAt(seen, place);
      if (entry !== undefined) found.push(entry);
    }
    return found.reverse();
  }

  slice(from?: number, to?: number): Json[] {
    return Array.from(this.#range("slice", from, to), ([, entry]) => entry);
  }

  entries(from?: number, to?: number): Iterable<[number, Json]> {
    return this.#range("entries", from, to);
  }

  toJSON(): readonly Json[] {
    return this.slice();
  }

  /** What printers of Node show. */
  [Symbol.for("nodejs.util.inspect.custom")](): object {
    return this.toJSON();
  }

  *[Symbol.iterator](): Generator<Json> {
    for (const [, entry] of this.#range("entries")) yield entry;
  }

  /** What is too old goes at once, so that the turn sees what its commit leaves. */
  append(value: Json): number {
    const { name, check, keep } = this.#field;
    this.#scope.writable(name);
    const where = `state.${name}[${this.length}]`;
    const checked = frozenJson(check === undefined ? value : check(value, where), where);
    const edit = this.#field.edit(this.#scope);
    edit.appended.push(checked);
    const length = lengthOf(edit);
    edit.start = Math.max(edit.start, length - keep);
    return length - 1;
  }

  redact(place: number): boolean {
    this.#scope.writable(this.#field.name);
    this.#checkInteger("redact", place);
    const seen = this.#field.seen(this.#scope);
    const length = lengthOf(seen);
    if (place < 0 || place >= length)
      this.#refuse(
        `redact(${place})`,
        length === 0 ? "the log is empty" : `its places are 0 to ${length - 1}`,
      );
    if (this.#field.entryAt(seen, place) === undefined) return false;
    const { before, appended, redacted } = this.#field.edit(this.#scope);
    if (place < before.length) redacted.add(place);
    else appended[place - before.length] = undefined;
    return true;
  }

  /** Bounds are taken at once, entries when they are asked for: one that went meanwhile is left out. */
  #range(method: string, from = 0, to?: number): Generator<[number, Json]> {
    this.#checkInteger(method, from);
    if (to !== undefined) this.#checkInteger(method, to);
    const { length } = this;
    const placeOf = (given: number): number =>
      Math.min(given < 0 ? Math.max(0, length + given) : given, length);
    return this.#walk(placeOf(from), placeOf(to ?? length));
  }

  *#walk(from: number, to: number): Generator<[number, Json]> {
    const { start } = this.#field.seen(this.#scope);
    for (let place = Math.max(from, start); place < to; place += 1) {
      const entry = this.#field.entryAt(this.#field.seen(this.#scope), place);
      if (entry !== undefined) yield [place, entry];
    }
  }

  #checkInteger(method: string, given: unknown): void {
    if (!Number.isSafeInteger(given)) this.#refuse(`${method}(${givenText(given)})`, "it must be an integer");
  }

  #refuse(call: string, why: string): never {
    throw new RefusedValueError(`state.${this.#field.name}.${call}: ${why}`);
  }
}
