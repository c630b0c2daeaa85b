import { fieldKinds } from "@voda/proto/fields";
import { stateBytesMax, turnBytesMax } from "@voda/proto/wire";
import { assert, ByteWriter } from "@voda/stdx";
import { type Accessors, createAccessors } from "./accessors.ts";
import {
  checkKind,
  checkOrigin,
  type Delta,
  type Dot,
  decodeSlot,
  readDelta,
  type UnknownChange,
  writeDot,
} from "./delta.ts";
import { beginEnvelope, type Crc32, endEnvelope, envelopeKinds, openEnvelope } from "./envelope.ts";
import { ClosedError, CorruptError, TooLargeError } from "./errors.ts";
import type { Field, Layer, Scope } from "./field.ts";
import { createFields, type ReadState, type Schema, type State } from "./schema.ts";
import { decodePages, encodePages, joinBytes, type StoredField } from "./snapshot.ts";
import { type Cuts, createCuts } from "./view.ts";

/** What the engine needs from outside. */
export interface Tools {
  readonly crc32: Crc32;
}

/** A byte of a delta takes no more in memory: a small number in a map is 3 bytes there and some 80 here. */
const memoryPerByte = 32;

// Scratch space of one synchronous commit, shared by all sessions of a worker.
const deltaWriter = new ByteWriter(4096);
const operationsWriter = new ByteWriter(4096);

/** The state of one session in memory. */
export interface SessionState<S extends Schema = Schema> {
  /** Transactions in it. */
  readonly seq: number;
  /** Roughly what it occupies in memory. */
  readonly bytes: number;
  /**
   * Takes one committed transaction, whole or not at all.
   * @throws DecodeError | CorruptError | SchemaError
   */
  apply(delta: Uint8Array): void;
  /** Starts the transaction; there is one at a time. */
  begin(): Transaction<S>;
  /** A cut of the last committed state, fixed until it is closed. */
  view(): View<S>;
  /** The committed state as pages of at most pageBytesMax, for `openState`. */
  snapshot(): Uint8Array[];
}

/** The one open transaction of a session. */
export interface Transaction<S extends Schema = Schema> {
  /** Reads its own writes; nobody else does before the commit. */
  readonly state: State<S>;
  /**
   * Applies the writes and gives them as a delta, or `undefined` if nothing changed. Ends the transaction,
   * unless it throws TooLargeError.
   * @param origin the activation's number, 1 to 2^32 - 1: the same for one activation, never again for
   * another
   * @param bytesMax the delta's bound, turnBytesMax by default
   */
  commit(origin: number, bytesMax?: number): Uint8Array | undefined;
  /** Leaves no trace. */
  rollback(): void;
  /** From here on each write asks first, with its field; what `check` throws refuses it. */
  guard(check: (field: string) => void): void;
}

/** A look at one moment. Whoever opens it closes it: until then every commit keeps what it replaces. */
export interface View<S extends Schema = Schema> {
  readonly state: ReadState<S>;
  close(): void;
}

/** An empty session, or the one that the pages hold. @throws DecodeError | CorruptError | SchemaError */
export function openState<S extends Schema>(
  schema: S,
  tools: Tools,
  snapshot?: readonly Uint8Array[],
): SessionState<S> {
  return new Live<S>(createFields(schema), tools.crc32, snapshot);
}

/** The one implementation: fields by their place in the schema, names only where bytes come in or go out. */
class Live<S extends Schema> implements SessionState<S> {
  readonly #fields: readonly Field[];
  readonly #named: ReadonlyMap<string, { readonly index: number; readonly field: Field }>;
  /** Encoded once, for every delta writes some. */
  readonly #names: readonly Uint8Array[];
  readonly #crc32: Crc32;
  readonly #accessors: Accessors;
  readonly #cuts: Cuts;
  /** Fields of other revisions: their bytes as they came, so that nothing of them is lost. */
  readonly #unknown = new Map<
    string,
    { kind: number; value: readonly Uint8Array[]; operations: Uint8Array[] }
  >();
  #seq = 0;
  /** At least what the values occupy. */
  #roughBytes = Number.POSITIVE_INFINITY;
  #isWriting = false;
  /** Why nobody may read or write this object any more. */
  #broken: unknown;

  constructor(fields: readonly Field[], crc32: Crc32, snapshot: readonly Uint8Array[] | undefined) {
    this.#fields = fields;
    this.#named = new Map(fields.map((field, index) => [field.name, { index, field }]));
    this.#names = fields.map(nameBlock);
    this.#crc32 = crc32;
    this.#accessors = createAccessors(fields);
    this.#cuts = createCuts(fields, () => this.#check());
    if (snapshot !== undefined) this.#load(snapshot);
  }

  get seq(): number {
    return this.#seq;
  }

  get bytes(): number {
    let bytes = 1024;
    for (const field of this.#fields) bytes += 128 + field.bytes;
    for (const { value, operations } of this.#unknown.values()) {
      for (const part of [...value, ...operations]) bytes += 128 + part.length;
    }
    return bytes;
  }

  apply(bytes: Uint8Array): void {
    this.#check();
    assert(!this.#isWriting, "apply while a transaction is open");
    const { body } = openEnvelope(bytes, envelopeKinds.delta, this.#crc32);
    const delta = readDelta(body, this.#named, this.#seq + 1);
    // All that can be wrong with the delta has been looked for by here: what comes now has effects.
    for (const change of delta.unknown) this.#checkUnknown(change);
    this.#unbroken(() => this.#take(delta));
  }

  begin(): Transaction<S> {
    this.#check();
    assert(!this.#isWriting, "begin while a transaction is open");
    this.#isWriting = true;
    const layer: Layer = { slots: [], next: undefined };
    const scope = new Writing(layer, () => this.#check());
    const end = (how: string): void => {
      scope.end(how);
      this.#isWriting = false;
    };
    return {
      state: this.#accessors(scope) as State<S>,
      // When the commit is refused for its size the transaction stays open: the handler may write less.
      commit: (origin, bytesMax = turnBytesMax) => {
        scope.alive();
        const delta = this.#commit(layer.slots, origin, bytesMax);
        end("committed");
        return delta;
      },
      rollback: () => {
        scope.alive();
        end("rolled back");
      },
      guard: (check) => scope.guard(check),
    };
  }

  view(): View<S> {
    this.#check();
    // Views do not count as writing: any number may be open beside the transaction.
    const { scope, close } = this.#cuts.open(this.#seq);
    return { state: this.#accessors(scope) as ReadState<S>, close };
  }

  snapshot(): Uint8Array[] {
    this.#check();
    const fields: StoredField[] = this.#fields.map((field) => ({
      name: field.name,
      kind: fieldKinds[field.kind].number,
      value: field.save(),
      operations: [],
    }));
    for (const [name, field] of this.#unknown) fields.push({ name, ...field });
    return encodePages({ seq: this.#seq, fields: fields.sort(byName) }, this.#crc32);
  }

  /** Nothing has changed when this throws TooLargeError: preparing and encoding have no effects. */
  #commit(slots: readonly unknown[], origin: number, bytesMax: number): Uint8Array | undefined {
    checkOrigin(origin);
    const changes = this.#fields.flatMap((field, index) => {
      const slot = slots[index];
      return slot !== undefined && field.changed(slot) ? [{ index, slot: field.prepare(slot, origin) }] : [];
    });
    if (changes.length === 0) return undefined;
    const dot = { origin, seq: this.#seq + 1 };
    const bytes = this.#encode(dot, changes);
    this.#checkSize(bytes.length, changes);
    if (bytes.length > bytesMax)
      throw new TooLargeError(
        `what the turn changes takes ${bytes.length} bytes, ${bytesMax} are left of turnBytesMax ${turnBytesMax}: write less in one call`,
      );
    this.#unbroken(() => this.#take({ dot, changes, unknown: [] }));
    return bytes;
  }

  /**
   * A snapshot of the state is written, and read, in one piece: others of the thread wait meanwhile. Who is
   * over the bound may still make it smaller. The sum over all fields is made again only when the state can
   * have become large.
   */
  #checkSize(deltaBytes: number, changes: Delta["changes"]): void {
    this.#roughBytes += deltaBytes * memoryPerByte;
    if (this.#roughBytes < stateBytesMax / 2) return;
    const bytes = this.#fields.reduce((sum, field) => sum + field.valueBytes, 0);
    this.#roughBytes = bytes;
    if (bytes + deltaBytes * memoryPerByte <= stateBytesMax) return;
    const growth = changes.reduce(
      (sum, { index, slot }) => sum + (this.#fields[index]?.growth(slot) ?? 0),
      0,
    );
    if (growth > 0 && bytes + growth > stateBytesMax)
      throw new TooLargeError(
        `the state of ${bytes} bytes would grow to ${bytes + growth}, which exceeds ` +
          `stateBytesMax ${stateBytesMax}; ` +
          "remove what the session no longer needs, or spread it over more sessions",
      );
  }

  #encode(dot: Dot, changes: Delta["changes"]): Uint8Array {
    const writer = deltaWriter;
    writer.clear();
    const at = beginEnvelope(writer, envelopeKinds.delta);
    writeDot(writer, dot);
    writer.varint(changes.length);
    for (const { index, slot } of changes) {
      const field = this.#fields[index];
      const name = this.#names[index];
      assert(field !== undefined && name !== undefined, "every change is of a field, which has a name");
      writer.raw(name);
      writer.u8(fieldKinds[field.kind].number);
      operationsWriter.clear();
      field.encode(slot, operationsWriter);
      writer.block(operationsWriter.peek());
    }
    endEnvelope(writer, at, this.#crc32);
    return writer.finish();
  }

  /** The one path of commit, replay and replication. */
  #take({ dot, changes, unknown }: Delta): void {
    for (const { index, slot } of changes) {
      // Before the field forgets what it replaces.
      this.#cuts.keep(index, slot);
      this.#fields[index]?.apply(slot);
    }
    for (const change of unknown) this.#takeUnknown(change);
    this.#seq = dot.seq;
  }

  /** Bytes of one field under two kinds belong to two histories. */
  #checkUnknown({ name, kind }: UnknownChange): void {
    const known = this.#unknown.get(name)?.kind ?? kind;
    if (known !== kind) throw new CorruptError(`field ${name} of kind ${known} is changed as kind ${kind}`);
  }

  /** Operations cannot be joined without knowing the kind, so they pile up until a revision has the field. */
  #takeUnknown({ name, kind, operations }: UnknownChange): void {
    const field = this.#unknown.get(name) ?? { kind, value: [], operations: [] };
    field.operations.push(operations);
    this.#unknown.set(name, field);
  }

  /** Reads all pages before any field takes a value. */
  #load(pages: readonly Uint8Array[]): void {
    const { seq, fields } = decodePages(pages, this.#crc32);
    for (const stored of fields) this.#loadField(stored);
    this.#seq = seq;
  }

  /**
   * A field that this revision has takes the value first, then what deltas brought while no revision had it.
   */
  #loadField({ name, kind, value, operations }: StoredField): void {
    const known = this.#named.get(name);
    if (known === undefined) {
      const copies = { value: value.map(copy), operations: operations.map(copy) };
      this.#unknown.set(name, { kind, ...copies });
      return;
    }
    checkKind(known.field, kind);
    if (value.length > 0) known.field.load(joinBytes(value));
    for (const block of operations) known.field.apply(decodeSlot(known.field, kind, block));
  }

  /** An effect that fails in its middle ends this object: nobody may read half a transaction. */
  #unbroken<T>(effect: () => T): T {
    try {
      return effect();
    } catch (cause) {
      this.#broken = cause;
      throw cause;
    }
  }

  #check(): void {
    if (this.#broken === undefined) return;
    throw new CorruptError("the state is broken by an earlier failure: load the session again", {
      cause: this.#broken,
    });
  }
}

/** The scope of a transaction. */
class Writing implements Scope {
  readonly layer: Layer;
  readonly #whole: () => void;
  #end: string | undefined;
  #guard: ((field: string) => void) | undefined;

  constructor(layer: Layer, whole: () => void) {
    this.layer = layer;
    this.#whole = whole;
  }

  /** An await after the handler has returned is the usual way to get here too late. */
  alive(): void {
    if (this.#end === undefined) return this.#whole();
    throw new ClosedError(`the transaction is ${this.#end}: use the state only inside the handler's call`);
  }

  writable(field: string): void {
    this.alive();
    this.#guard?.(field);
  }

  guard(check: (field: string) => void): void {
    this.#guard = check;
  }

  /** From here on every handle of the scope throws, and says how it ended. */
  end(how: string): void {
    this.#end = how;
  }
}

/** As deltas have it: its length, then UTF-8. */
function nameBlock(field: Field): Uint8Array {
  const writer = new ByteWriter();
  writer.text(field.name);
  return writer.finish();
}

/** Pages belong to who gave them; what is kept beyond the call is a copy. */
function copy(bytes: Uint8Array): Uint8Array {
  return bytes.slice();
}

/** Fields by their names, so that the order of a schema does not change pages. */
function byName(a: StoredField, b: StoredField): number {
  return a.name < b.name ? -1 : 1;
}
