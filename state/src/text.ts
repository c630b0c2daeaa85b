import { type ByteReader, type ByteWriter, DecodeError } from "@voda/stdx";
import { applyUpdate, Doc, decodeUpdate, encodeStateAsUpdate, type Text } from "yjs";
import { CorruptError, TooLargeError } from "./errors.ts";
import { type Field, findSlot, refuseAssign, type Scope } from "./field.ts";
import { cutEvery, pieceBytesMax, piecesBytes } from "./piece.ts";

/** UTF-16 code units of one text. */
export const textLengthMax = 16 * 1024 * 1024;

/** Offsets count UTF-16 code units and never lie inside a surrogate pair. */
export interface ReadText {
  readonly length: number;
  toString(): string;
}

export interface TextState extends ReadText {
  append(text: string): void;
  /** @throws TypeError | RangeError */
  insert(at: number, text: string): void;
  /** @throws TypeError | RangeError */
  delete(at: number, count: number): void;
  /** Replaces the first occurrence; whether there was one. */
  replace(find: string, text: string): boolean;
}

interface Edit {
  readonly at: number;
  readonly removed: number;
  readonly inserted: string;
}

interface TextSlot {
  /** `undefined`: not known before the update was applied. */
  readonly text: string | undefined;
  /** Buffered until the commit. */
  readonly edits: Edit[];
  /** Of a delta that somebody else made. */
  readonly update: Uint8Array | undefined;
}

interface Live {
  readonly doc: Doc;
  readonly text: Text;
}

/** Names the text inside its document; repeated in updates, hence short. */
const ROOT = "t";
/** The client of a document that only applies: yjs changes a client id at random when its own appears in an update. */
const NO_CLIENT = 0;
const STRUCT_BYTES = 160;
/** What one edit adds to an update besides its text; measured updates have 15 to 32 bytes. */
const EDIT_BYTES = 48;
const utf8 = new TextEncoder();

/**
 * Text of which ranges are inserted and deleted. Behind it is a yjs document, opened at the first use; its updates travel
 * inside our deltas, whose checksum and order it needs: it would apply a damaged update, and a part of an early one.
 */
export class TextField implements Field<TextSlot> {
  readonly kind = "text";
  readonly name: string;
  readonly index: number;
  #live: Live | undefined;
  #stored: Uint8Array | undefined;
  #text: string | undefined;
  #saved: readonly Uint8Array[] | undefined = [];

  constructor(name: string, index: number) {
    this.name = name;
    this.index = index;
  }

  get bytes(): number {
    let bytes = (this.#stored?.length ?? 0) + piecesBytes(this.#saved);
    for (const structs of this.#live?.doc.store.clients.values() ?? [])
      bytes += structs.length * STRUCT_BYTES;
    return bytes + (this.#live?.text.length ?? 0) + (this.#text?.length ?? 0);
  }

  access(scope: Scope): TextState {
    scope.alive();
    return new TextHandle(this, scope);
  }

  assign(): void {
    refuseAssign(this.name, this.kind);
  }

  /** The committed text. */
  read(): string {
    this.#text ??= this.#open().text.toJSON();
    return this.#text;
  }

  changed(slot: TextSlot): boolean {
    return slot.edits.length > 0 || slot.update !== undefined;
  }

  /** About how many bytes `encode` will write, without the edits' effect on the document. */
  static estimate(slot: unknown): number {
    const { edits } = slot as TextSlot;
    return edits.reduce((sum, edit) => sum + EDIT_BYTES + utf8.encode(edit.inserted).length, 0);
  }

  /** Performs the edits: the document is ahead of `read` until `apply`. */
  encode(slot: TextSlot, writer: ByteWriter, origin: number): void {
    const { doc, text } = this.#open();
    const updates: Uint8Array[] = [];
    const keep = (update: Uint8Array): void => {
      updates.push(update);
    };
    doc.clientID = origin;
    doc.on("update", keep);
    doc.transact(() => {
      for (const { at, removed, inserted } of slot.edits) {
        if (removed > 0) text.delete(at, removed);
        if (inserted !== "") text.insert(at, inserted);
      }
    });
    doc.off("update", keep);
    doc.clientID = NO_CLIENT;
    for (const update of updates) writer.raw(update);
  }

  decode(reader: ByteReader): TextSlot {
    const update = reader.raw(reader.left);
    try {
      decodeUpdate(update);
    } catch (cause) {
      throw new DecodeError(`text ${this.name}: not an update of a text`, { cause });
    }
    return { text: undefined, edits: [], update };
  }

  undo(): TextSlot {
    return { text: this.read(), edits: [], update: undefined };
  }

  fold(newer: TextSlot, older: TextSlot | undefined): TextSlot {
    return older ?? newer;
  }

  apply(slot: TextSlot): void {
    this.#saved = undefined;
    this.#text = slot.text;
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
    doc.clientID = NO_CLIENT;
    const live = { doc, text: doc.getText(ROOT) };
    if (this.#stored !== undefined) this.#integrate(live, this.#stored);
    this.#stored = undefined;
    this.#live = live;
    return live;
  }

  #integrate({ doc }: Live, update: Uint8Array): void {
    try {
      applyUpdate(doc, update);
    } catch (cause) {
      throw new CorruptError(`text ${this.name}: an update does not apply`, { cause });
    }
    const { pendingStructs, pendingDs } = doc.store;
    if (pendingStructs !== null || pendingDs !== null) {
      throw new CorruptError(`text ${this.name}: an update builds on edits that are not there`);
    }
  }
}

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
      throw new RangeError(`state.${this.#field.name}.replace: there is nothing to find in ""`);
    const at = this.toString().indexOf(find);
    if (at < 0) {
      this.#checkText(text);
      return false;
    }
    this.#edit(at, find.length, text);
    return true;
  }

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
    const edits = (slots[index] as TextSlot | undefined)?.edits ?? [];
    edits.push({ at, removed, inserted });
    slots[index] = {
      text: before.slice(0, at) + inserted + before.slice(at + removed),
      edits,
      update: undefined,
    };
  }

  #checkText(text: unknown): void {
    const { name } = this.#field;
    if (typeof text !== "string")
      throw new TypeError(`state.${name}: text is a ${typeof text}; it must be a string`);
    if (!text.isWellFormed())
      throw new TypeError(`state.${name}: text has a lone surrogate; use well-formed Unicode`);
  }

  #checkRange(text: string, at: number, count: number): void {
    const { name } = this.#field;
    if (!Number.isSafeInteger(at) || !Number.isSafeInteger(count)) {
      throw new TypeError(`state.${name}: offset ${String(at)} and count ${String(count)} must be integers`);
    }
    if (at < 0 || count < 0 || at + count > text.length) {
      throw new RangeError(`state.${name}: offset ${at} and count ${count} exceed its length ${text.length}`);
    }
    for (const offset of [at, at + count]) {
      if (splitsPair(text, offset))
        throw new RangeError(`state.${name}: offset ${offset} is inside a surrogate pair`);
    }
  }
}

/** The text is well-formed, so a low surrogate always follows its high one. */
function splitsPair(text: string, offset: number): boolean {
  const unit = text.charCodeAt(offset);
  return unit >= 0xdc00 && unit <= 0xdfff;
}
