import type { TextState } from "@voda/proto/fields";
import { type ByteReader, type ByteWriter, DecodeError } from "@voda/stdx";
import { applyUpdate, Doc, decodeUpdate, encodeStateAsUpdate, type Text } from "yjs";
import { CorruptError, RefusedValueError, TooLargeError } from "../errors.ts";
import { type Field, findSlot, refuseAssign, type Scope } from "../field.ts";
import { describe } from "../json.ts";
import { cutEvery, pieceBytesMax, piecesBytes } from "../piece.ts";
import { Splices } from "./text-splices.ts";
import { type Bookmark, rootName, writeUpdate } from "./text-update.ts";

/** UTF-16 code units of one text. */
export const textLengthMax = 16 * 1024 * 1024;

interface TextSlot {
  /** `undefined`: not known before the update was applied. */
  readonly text: string | undefined;
  /** Of the open transaction. */
  readonly splices: Splices | undefined;
  /** The same once it is prepared, or of a delta that came. */
  readonly update: Uint8Array | undefined;
  /** Where the update's first edit is, if known. */
  readonly near: Bookmark | undefined;
}

/** The document and its one text. */
interface Live {
  readonly doc: Doc;
  readonly text: Text;
}

/**
 * The client of every document: ours never write, so yjs need never replace an id that it meets in an update.
 */
const noClient = 0;
/** Roughly what yjs keeps for a struct besides its text. */
const structBytes = 160;

/**
 * Text of which ranges are inserted and deleted. Behind it is a yjs document, opened at the first use; its
 * updates travel inside our deltas, whose checksum and order it needs: it would apply a damaged update, and a
 * part of an early one.
 */
export class TextField implements Field<TextSlot> {
  readonly kind = "text";
  readonly name: string;
  readonly index: number;
  /** Opened at the first use: a session that wakes to read something else need not build it. */
  #live: Live | undefined;
  /** The bytes it opens from. */
  #stored: Uint8Array | undefined;
  /** The committed text, unknown after an update that came from elsewhere. */
  #text: string | undefined;
  #saved: readonly Uint8Array[] | undefined = [];

  /** Where the last transaction edited. */
  #near: Bookmark | undefined;

  constructor(name: string, index: number) {
    this.name = name;
    this.index = index;
  }

  /** yjs keeps an object per run of edits, which is most of what a much edited text occupies. */
  get bytes(): number {
    return this.valueBytes + piecesBytes(this.#saved);
  }

  get valueBytes(): number {
    let bytes = this.#stored?.length ?? 0;
    for (const structs of this.#live?.doc.store.clients.values() ?? []) bytes += structs.length * structBytes;
    return bytes + (this.#live?.text.length ?? 0) + (this.#text?.length ?? 0);
  }

  access(scope: Scope): TextState {
    scope.alive();
    return Object.freeze(new TextHandle(this, scope));
  }

  assign(): void {
    refuseAssign(this.name, this.kind);
  }

  /** The committed text. */
  read(): string {
    this.#text ??= this.#open().text.toJSON();
    return this.#text;
  }

  changed({ splices, update }: TextSlot): boolean {
    return update !== undefined || (splices?.list.length ?? 0) > 0;
  }

  /**
   * The document stays as it was until `apply` integrates the update, as it does with one that came from
   * elsewhere.
   */
  prepare(slot: TextSlot, origin: number): TextSlot {
    const { update, near } = writeUpdate(this.#open(), slot.splices?.list ?? [], origin, this.#near);
    return { text: slot.text, splices: undefined, update, near };
  }

  growth({ text, update }: TextSlot): number {
    return text === undefined ? (update?.length ?? 0) : text.length - this.read().length;
  }

  encode({ update }: TextSlot, writer: ByteWriter): void {
    if (update !== undefined) writer.raw(update);
  }

  /** yjs would throw in the middle of applying what it cannot read, so it is read here first. */
  decode(reader: ByteReader): TextSlot {
    const update = reader.raw(reader.left);
    try {
      decodeUpdate(update);
    } catch (cause) {
      throw new DecodeError(`text ${this.name}: not an update of a text`, { cause });
    }
    return { text: undefined, splices: undefined, update, near: undefined };
  }

  /** Old texts are kept as strings: a document has only its newest state. */
  undo(): TextSlot {
    return { text: this.read(), splices: undefined, update: undefined, near: undefined };
  }

  fold(newer: TextSlot, older: TextSlot | undefined): TextSlot {
    return older ?? newer;
  }

  apply(slot: TextSlot): void {
    this.#saved = undefined;
    this.#text = slot.text;
    this.#near = slot.near;
    if (slot.update !== undefined) this.#integrate(this.#open(), slot.update);
  }

  save(): readonly Uint8Array[] {
    this.#saved ??= cutEvery(this.#stored ?? encodeStateAsUpdate(this.#open().doc), pieceBytesMax);
    return this.#saved;
  }

  /** Keeps the bytes; the document opens at the first use. */
  load(bytes: Uint8Array): void {
    this.#stored = bytes.slice();
    this.#saved = undefined;
  }

  #open(): Live {
    if (this.#live !== undefined) return this.#live;
    const doc = new Doc({ guid: "" });
    doc.clientID = noClient;
    const live = { doc, text: doc.getText(rootName) };
    if (this.#stored !== undefined) this.#integrate(live, this.#stored);
    this.#stored = undefined;
    this.#live = live;
    return live;
  }

  /**
   * Whatever yjs says to an update that was prepared or decoded, the state is broken then: half of it may be
   * in.
   */
  #integrate({ doc }: Live, update: Uint8Array): void {
    try {
      applyUpdate(doc, update);
    } catch (cause) {
      throw new CorruptError(`text ${this.name}: an update does not apply`, { cause });
    }
    // yjs puts aside what builds on edits that it does not have; in an order without gaps nothing may.
    const { pendingStructs, pendingDs } = doc.store;
    if (pendingStructs !== null || pendingDs !== null) {
      throw new CorruptError(`text ${this.name}: an update builds on edits that are not there`);
    }
  }
}

/** What handlers hold. Inside a transaction the text is a string: yjs sees the edits once, at the commit. */
class TextHandle implements TextState {
  readonly #field: TextField;
  readonly #scope: Scope;

  constructor(field: TextField, scope: Scope) {
    this.#field = field;
    this.#scope = scope;
  }

  get length(): number {
    return this.toString().length;
  }

  toString(): string {
    this.#scope.alive();
    return (
      (findSlot(this.#scope.layer, this.#field.index) as TextSlot | undefined)?.text ?? this.#field.read()
    );
  }

  toJSON(): string {
    return this.toString();
  }

  append(text: string): void {
    this.#edit(this.length, 0, text);
  }

  insert(at: number, text: string): void {
    this.#edit(at, 0, text);
  }

  delete(at: number, count: number): void {
    this.#edit(at, count, "");
  }

  replace(find: string, text: string): boolean {
    this.#scope.writable(this.#field.name);
    this.#checkText(find);
    if (find === "")
      throw new RefusedValueError(`state.${this.#field.name}.replace: there is nothing to find in ""`);
    const at = this.toString().indexOf(find);
    if (at < 0) {
      this.#checkText(text);
      return false;
    }
    this.#edit(at, find.length, text);
    return true;
  }

  /** The one way to edit. Checks come first, so a refused edit leaves the transaction as it was. */
  #edit(at: number, removed: number, inserted: string): void {
    const { name, index } = this.#field;
    this.#scope.writable(name);
    this.#checkText(inserted);
    const before = this.toString();
    this.#checkRange(before, at, removed);
    if (removed === 0 && inserted === "") return;
    const length = before.length - removed + inserted.length;
    if (length > textLengthMax)
      throw new TooLargeError(`state.${name} of ${length} units exceeds textLengthMax ${textLengthMax}`);
    const { slots } = this.#scope.layer;
    const splices = (slots[index] as TextSlot | undefined)?.splices ?? new Splices();
    splices.add(at, removed, inserted);
    const text = before.slice(0, at) + inserted + before.slice(at + removed);
    slots[index] = { text, splices, update: undefined, near: undefined };
  }

  #checkText(text: unknown): void {
    const { name } = this.#field;
    if (typeof text !== "string")
      throw new RefusedValueError(`state.${name}: the text is ${describe(text)}; it must be a string`);
    if (!text.isWellFormed())
      throw new RefusedValueError(`state.${name}: text has a lone surrogate; use well-formed Unicode`);
  }

  /** Counts as strings of JavaScript do, and refuses what would leave half of a character. */
  #checkRange(text: string, at: number, count: number): void {
    const { name } = this.#field;
    if (!Number.isSafeInteger(at) || !Number.isSafeInteger(count)) {
      throw new RefusedValueError(
        `state.${name}: offset ${String(at)} and count ${String(count)} must be integers`,
      );
    }
    if (at < 0 || count < 0 || at + count > text.length) {
      throw new RefusedValueError(
        `state.${name}: offset ${at} and count ${count} exceed its length ${text.length}`,
      );
    }
    for (const offset of [at, at + count]) {
      if (splitsPair(text, offset))
        throw new RefusedValueError(`state.${name}: offset ${offset} is inside a surrogate pair`);
    }
  }
}

/** The text is well-formed, so a low surrogate always follows its high one. */
function splitsPair(text: string, offset: number): boolean {
  const unit = text.charCodeAt(offset);
  return unit >= 0xdc00 && unit <= 0xdfff;
}
