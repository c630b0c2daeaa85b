// The kinds of fields: the one table. The SDK takes types and makers from it, the control plane checks
// deployments by it, the state engine has one class for each of its rows (`state/src/kinds/<kind>.ts`).

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** A JSON value that holds no others. */
export type Scalar = null | boolean | number | string;

/** Deeper values are refused; a cycle is deeper than anything. */
export const jsonDepthMax = 64;

const pathCharactersMax = 200;

/** For messages: where a value is in another, by names that callers choose, of any number and length. */
export function shownPath(path: string): string {
  if (path.length <= pathCharactersMax) return path;
  return `${path.slice(0, pathCharactersMax).toWellFormed()}... (${path.length} characters)`;
}

/** What a kind is on the wire, and whether users' own values are in it. */
export interface FieldKindRow {
  /** In deltas and pages; never used again for another kind. */
  readonly number: number;
  /** Holds values of the author's own type, so that a schema can check them. */
  readonly holdsValues: boolean;
}

/** Every kind that a field can have. */
export const fieldKinds = {
  register: { number: 1, holdsValues: true },
  counter: { number: 2, holdsValues: false },
  map: { number: 3, holdsValues: true },
  text: { number: 4, holdsValues: false },
  flag: { number: 5, holdsValues: false },
  log: { number: 6, holdsValues: true },
  set: { number: 7, holdsValues: true },
  list: { number: 8, holdsValues: true },
} as const satisfies { readonly [K in keyof Handles<Json>]: FieldKindRow };

/** Kinds of fields. */
export type FieldKind = keyof typeof fieldKinds;
/** Kinds whose values have a type of the author's. */
export type ValueKind = {
  [K in FieldKind]: (typeof fieldKinds)[K]["holdsValues"] extends true ? K : never;
}[FieldKind];

/** Whether it is the name of a kind. */
export function isFieldKind(name: string): name is FieldKind {
  return Object.hasOwn(fieldKinds, name);
}

/** The names of all kinds, as the table has them. */
export const fieldKindNames: readonly FieldKind[] = Object.keys(fieldKinds).filter(isFieldKind);

/** Deeply read-only: fields hand out their values like this. */
export type Frozen<T> = T extends (...args: never[]) => unknown
  ? T
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;

/** What a handler gets for a field of each kind; `X` is the type of its values. */
export interface Handles<X> {
  /** One JSON value, read and assigned as an ordinary property: `ctx.state.title = "x"`. */
  readonly register: X;
  /** A number that starts at 0 and is added to. */
  readonly counter: Counter;
  /**
   * JSON values by string key. With a schema, values are checked before they are written, as in `register`.
   */
  readonly map: MapState<X>;
  /**
   * A text that is edited in place; offsets are UTF-16 code units, as in JavaScript strings. Starts empty.
   */
  readonly text: TextState;
  /** A yes or no that starts as no. */
  readonly flag: Flag;
  /**
   * JSON values that are appended, and read from both ends; a turn writes what it appends, not the whole.
   * With a schema, values are checked before they are written, as in `register`.
   */
  readonly log: LogState<X>;
  /**
   * Strings, numbers, booleans and null, each at most once. With a schema, values are checked before they are
   * added, as in `register`.
   */
  readonly set: SetState<X>;
  /**
   * JSON values in an order of their own: inserted, replaced, moved and deleted one by one. With a schema,
   * values are checked before they are written, as in `register`.
   */
  readonly list: ListState<X>;
}

/** What a `readonly` handler gets for a field of each kind. */
export interface ReadHandles<X> {
  readonly register: X;
  readonly counter: ReadCounter;
  readonly map: ReadMap<X>;
  readonly text: ReadText;
  readonly flag: ReadFlag;
  readonly log: ReadLog<X>;
  readonly set: ReadSet<X>;
  readonly list: ReadList<X>;
}

/** A counter in a `readonly` handler. */
export interface ReadCounter {
  /** The sum of all that was added: an integer within 2^53. */
  readonly value: number;
  /** The value: so a handler may return the counter itself. */
  toJSON(): number;
}

/** A counter. */
export interface Counter extends ReadCounter {
  /**
   * Adds an integer (default 1; negative to subtract) and returns the new value.
   * @throws TypeError for what is no integer within 2^53, RangeError when the sum is not within 2^53
   */
  add(by?: number): number;
}

/**
 * A map in a `readonly` handler. Iterates in the order of its keys (UTF-16 code units), over those that were
 * there when the iteration began.
 */
export interface ReadMap<X> extends Iterable<[string, X]> {
  /** Number of keys. */
  readonly size: number;
  /** Whether the key is there. */
  has(key: string): boolean;
  /** The value under the key, `undefined` when there is none. It is frozen. */
  get(key: string): X | undefined;
  /** The keys in their order. */
  keys(): Iterable<string>;
  /** The values in the order of their keys. */
  values(): Iterable<X>;
  /**
   * An object with all keys and values: so a handler may return the map itself. It is what to spread: the
   * keys are no properties of the map, and `{ ...map }` throws.
   */
  toJSON(): { readonly [key: string]: X };
}

/** A map. Keys have at most 1,024 bytes of UTF-8. Values are frozen: `set` or `update` to change one. */
export interface MapState<X> extends ReadMap<X> {
  /**
   * @throws TypeError when key or value cannot be stored, RangeError when one is too long or nested too deep
   */
  set(key: string, value: X): void;
  /** Sets what `change` returns for the old value, `undefined` when there is none. @throws as `set` */
  update(key: string, change: (old: X | undefined) => X): void;
  /** Removes the key; whether it was there. */
  delete(key: string): boolean;
}

/** A text in a `readonly` handler. */
export interface ReadText {
  /** UTF-16 code units, 0 to 16 Mi. */
  readonly length: number;
  /** The whole text. */
  toString(): string;
  /** The whole text: so a handler may return the field itself. */
  toJSON(): string;
}

/** A text. Offsets and lengths are UTF-16 code units and never lie inside a surrogate pair. */
export interface TextState extends ReadText {
  /** Adds to the end. @throws TypeError for what is no well-formed text, RangeError beyond 16 Mi units */
  append(text: string): void;
  /** @throws TypeError or RangeError when `at` is not a place in the text */
  insert(at: number, text: string): void;
  /** @throws TypeError or RangeError when the range is not in the text */
  delete(at: number, length: number): void;
  /**
   * Replaces the first place where `find` stands; `false` when it stands nowhere.
   * @throws RangeError when `find` is empty
   */
  replace(find: string, text: string): boolean;
}

/** A flag in a `readonly` handler. */
export interface ReadFlag {
  /** Whether it is enabled. */
  readonly value: boolean;
  /** The value: so a handler may return the flag itself. */
  toJSON(): boolean;
}

/** A flag. */
export interface Flag extends ReadFlag {
  /** To yes; nothing changes when it is so already. */
  enable(): void;
  /** To no; nothing changes when it is so already. */
  disable(): void;
}

/**
 * A log in a `readonly` handler. The first entry has place 0, and every entry keeps its place for ever: one
 * that was redacted, or is older than what the log keeps, leaves its place empty. Iterates from the oldest
 * entry, over those that were there when the iteration began.
 */
export interface ReadLog<X> extends Iterable<X> {
  /** How many were ever appended, which is the place of the next one; empty places count. */
  readonly length: number;
  /**
   * The entry at the place, `undefined` where there is none. It is frozen. A negative place counts from the
   * end: -1 is the newest. @throws TypeError for what is no integer
   */
  at(place: number): X | undefined;
  /** The newest entries, the oldest of them first. @throws TypeError for what is no count */
  last(count: number): X[];
  /** The entries from a place up to another one, which is left out, as of arrays. @throws as `at` */
  slice(from?: number, to?: number): X[];
  /** As `slice`, each entry with its place, one at a time. @throws as `at` */
  entries(from?: number, to?: number): Iterable<[place: number, entry: X]>;
  /** All entries: so a handler may return the log itself. */
  toJSON(): readonly X[];
}

/** A log. Entries are frozen. */
export interface LogState<X> extends ReadLog<X> {
  /** Adds an entry to the end and returns its place. @throws TypeError when it cannot be stored */
  append(value: X): number;
  /**
   * Empties a place; whether there was an entry. Its bytes are in no snapshot from then on.
   * @throws TypeError when the log has no such place
   */
  redact(place: number): boolean;
}

/**
 * A set in a `readonly` handler. Iterates in one order, whoever added what when: null, false, true, numbers,
 * strings (by UTF-16 code units), over those that were there when the iteration began.
 */
export interface ReadSet<X> extends Iterable<X> {
  /** Number of values. */
  readonly size: number;
  /** Whether the value is there. A text is not the number that it looks like. */
  has(value: X): boolean;
  /** All values: so a handler may return the set itself. */
  toJSON(): readonly X[];
}

/** A set. Strings in it have at most 1,024 bytes of UTF-8. */
export interface SetState<X> extends ReadSet<X> {
  /**
   * Adds the value; whether it was not there before.
   * @throws TypeError when it cannot be in a set, RangeError when it is too long
   */
  add(value: X): boolean;
  /** Removes the value; whether it was there. */
  delete(value: X): boolean;
}

/** A list in a `readonly` handler. Iterates over the items that were there when the iteration began. */
export interface ReadList<X> extends Iterable<X> {
  /** Number of items. */
  readonly length: number;
  /**
   * The item at the index, `undefined` where there is none. It is frozen. A negative index counts from the
   * end. @throws TypeError for what is no integer
   */
  at(index: number): X | undefined;
  /** The items from an index up to another one, which is left out, as of arrays. @throws as `at` */
  slice(from?: number, to?: number): X[];
  /** All items: so a handler may return the list itself. */
  toJSON(): readonly X[];
}

/** A list. Items are frozen: `set` one to change it. A write takes an index from 0 on and writes one item. */
export interface ListState<X> extends ReadList<X> {
  /** Adds an item to the end. @throws TypeError when it cannot be stored */
  append(value: X): void;
  /** Adds an item before the one at the index. @throws TypeError for an index that is not 0 to `length` */
  insert(at: number, value: X): void;
  /** Replaces an item. @throws TypeError when there is none, or the value cannot be stored */
  set(at: number, value: X): void;
  /** Takes an item from one index to another, which it has then. @throws TypeError when there is none */
  move(from: number, to: number): void;
  /** Removes an item, and gives it. @throws TypeError when there is none */
  delete(at: number): X;
}
