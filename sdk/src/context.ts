// What a handler gets: the state of its session and the context of the call.
import type { Field, FieldKind, Schema } from "./schema.ts";

/** Deeply read-only: registers hand out their value like this. */
export type Frozen<T> = T extends (...args: never[]) => unknown
  ? T
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;

/** A counter in a `readonly` handler. */
export interface ReadCounter {
  readonly value: number;
}

/** A counter. */
export interface Counter extends ReadCounter {
  /** Adds an integer (default 1; negative to subtract) and returns the new value. @throws TypeError or RangeError */
  add(by?: number): number;
}

/** A map in a `readonly` handler. Iterates in the order of its keys (UTF-16 code units). */
export interface ReadMap<X> extends Iterable<[string, X]> {
  readonly size: number;
  has(key: string): boolean;
  get(key: string): X | undefined;
  keys(): Iterable<string>;
  values(): Iterable<X>;
}

/** A map. Keys have at most 1,024 bytes. Values are frozen: `set` or `update` to change one. */
export interface MapState<X> extends ReadMap<X> {
  /** @throws TypeError or RangeError when key or value cannot be stored */
  set(key: string, value: X): void;
  /** Sets what `change` returns for the old value, `undefined` when there is none. */
  update(key: string, change: (old: X | undefined) => X): void;
  /** Whether there was such a key. */
  delete(key: string): boolean;
}

/** A text in a `readonly` handler. */
export interface ReadText {
  /** UTF-16 code units. */
  readonly length: number;
  toString(): string;
}

/** A text. Offsets and lengths are UTF-16 code units and never lie inside a surrogate pair. */
export interface TextState extends ReadText {
  append(text: string): void;
  /** @throws TypeError or RangeError when `at` is not a place in the text */
  insert(at: number, text: string): void;
  /** @throws TypeError or RangeError when the range is not in the text */
  delete(at: number, length: number): void;
  /** Replaces the first place where `find` stands; `false` when it stands nowhere. */
  replace(find: string, text: string): boolean;
}

type Handle<F> =
  F extends Field<"counter", unknown>
    ? Counter
    : F extends Field<"map", infer X>
      ? MapState<X>
      : F extends Field<"text", unknown>
        ? TextState
        : never;
type ReadHandle<F> =
  F extends Field<"register", infer X>
    ? Frozen<X>
    : F extends Field<"counter", unknown>
      ? ReadCounter
      : F extends Field<"map", infer X>
        ? ReadMap<X>
        : F extends Field<"text", unknown>
          ? ReadText
          : never;
type Registers<S extends Schema> = { [K in keyof S]: S[K]["kind"] extends "register" ? K : never }[keyof S];

/** `ctx.state` of a handler: registers are properties to read and assign, the other fields have methods. */
export type State<S extends Schema> = {
  [K in Registers<S>]: S[K] extends Field<FieldKind, infer X> ? Frozen<X> : never;
} & { readonly [K in Exclude<keyof S, Registers<S>>]: Handle<S[K]> };

/** `ctx.state` of a `readonly` handler. */
export type ReadState<S extends Schema> = { readonly [K in keyof S]: ReadHandle<S[K]> };

/** Who calls. */
export interface Caller {
  /** `anonymous` as long as the mesh has no authentication. */
  readonly subject: string;
}

/** Structured log of the session; agent and key are added to each line. */
export interface Logger {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}

/** What every handler gets, without the state. */
export interface CallContext {
  /** Key of the session: 1 to 256 bytes, chosen by its callers. */
  readonly key: string;
  readonly caller: Caller;
  /** Fires when nobody waits for the answer any more or the turn ran longer than `maxTurn`. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  now(): number;
  /** A number of 0 up to, but not including, 1. */
  random(): number;
  /** A new random UUID. */
  uuid(): string;
}

/** Context of a handler. The handler is one transaction: if it throws, it changed nothing. */
export interface Ctx<S extends Schema> extends CallContext {
  readonly state: State<S>;
}

/** Context of a `readonly` handler: the newest committed state, which cannot be written to. */
export interface ReadCtx<S extends Schema> extends CallContext {
  readonly state: ReadState<S>;
}
