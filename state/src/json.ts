// Json values: checked and copied when written, frozen when read, one byte of tag each on the wire.
import { type Json, jsonDepthMax, shownPath } from "@voda/proto/fields";
import { type ByteReader, type ByteWriter, DecodeError } from "@voda/stdx";
import { RefusedValueError } from "./errors.ts";

/**
 * The first byte of a value. Integers have tags of their own, because most numbers are small ones and a
 * double takes 8 bytes. 0 stands for "no value" where one may be missing.
 */
const tags = {
  absent: 0,
  null: 1,
  false: 2,
  true: 3,
  f64: 4,
  natural: 5,
  negative: 6,
  string: 7,
  array: 8,
  object: 9,
} as const;

/**
 * A deeply frozen copy, so that neither the writer's own objects nor a reader can change the state behind a
 * transaction.
 * @param where what the value is for; errors begin with it
 * @throws RefusedValueError
 */
export function frozenJson(value: unknown, where: string, depth = 0): Json {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "string") {
    if (!value.isWellFormed())
      throw new RefusedValueError(
        `${shownPath(where)} is a string with a lone surrogate; use well-formed Unicode`,
      );
    return value;
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value))
      throw new RefusedValueError(`${shownPath(where)} is ${value}; Json numbers are finite`);
    return value;
  }
  if (typeof value !== "object")
    throw new RefusedValueError(`${shownPath(where)} is ${describe(value)}; a value must be Json`);
  if (depth === jsonDepthMax)
    throw new RefusedValueError(
      `${shownPath(where)} is nested deeper than jsonDepthMax ${jsonDepthMax}, or holds itself`,
    );
  return Array.isArray(value) ? frozenArray(value, where, depth) : frozenObject(value, where, depth);
}

/** Items are named by their index in errors. */
function frozenArray(value: readonly unknown[], where: string, depth: number): Json {
  // Not `map`: it would leave holes, which are no Json, as they are.
  const copy: Json[] = [];
  for (let i = 0; i < value.length; i += 1) copy.push(frozenJson(value[i], `${where}[${i}]`, depth + 1));
  return Object.freeze(copy);
}

/** Objects of classes are refused: read back they would be plain ones without their methods. */
function frozenObject(value: object, where: string, depth: number): Json {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    if (value instanceof Promise)
      throw new RefusedValueError(`${shownPath(where)} is a promise; write what it gives: await it`);
    throw new RefusedValueError(
      `${shownPath(where)} is ${describe(value)}; a value must be Json: plain objects, arrays, strings, numbers`,
    );
  }
  const copy: { [key: string]: Json } = {};
  for (const [key, item] of Object.entries(value)) {
    if (!key.isWellFormed())
      throw new RefusedValueError(
        `${shownPath(where)} has a key with a lone surrogate; use well-formed Unicode`,
      );
    put(copy, key, frozenJson(item, `${where}.${key}`, depth + 1));
  }
  return Object.freeze(copy);
}

/** Writes a value that `frozenJson` gave, or "no value" for `undefined`. */
export function writeJson(writer: ByteWriter, value: Json | undefined): void {
  if (value === undefined) writer.u8(tags.absent);
  else if (value === null) writer.u8(tags.null);
  else if (typeof value === "boolean") writer.u8(value ? tags.true : tags.false);
  else if (typeof value === "number") writeNumber(writer, value);
  else if (typeof value === "string") {
    writer.u8(tags.string);
    writer.text(value);
  } else if (isArray(value)) {
    writer.u8(tags.array);
    writer.varint(value.length);
    for (const item of value) writeJson(writer, item);
  } else writeObject(writer, value);
}

/**
 * Keys in the order in which the author wrote them: an object read back iterates as the one that was written.
 */
function writeObject(writer: ByteWriter, value: { readonly [key: string]: Json }): void {
  const entries = Object.entries(value);
  writer.u8(tags.object);
  writer.varint(entries.length);
  for (const [key, item] of entries) {
    writer.text(key);
    writeJson(writer, item);
  }
}

/** -0 is no integer here: a varint would lose its sign. */
function writeNumber(writer: ByteWriter, value: number): void {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
    writer.u8(value < 0 ? tags.negative : tags.natural);
    writer.varint(Math.abs(value));
    return;
  }
  writer.u8(tags.f64);
  writer.f64(value);
}

/** A frozen value, or `undefined` where the writer wrote none. @throws DecodeError */
export function readOptionalJson(reader: ByteReader, depth = 0): Json | undefined {
  const tag = reader.u8();
  switch (tag) {
    case tags.absent:
      return undefined;
    case tags.null:
      return null;
    case tags.false:
      return false;
    case tags.true:
      return true;
    case tags.natural:
      return reader.varint();
    case tags.negative:
      return -reader.varint();
    case tags.f64:
      return finite(reader.f64());
    case tags.string:
      return reader.text();
    case tags.array:
      return readArray(reader, depth);
    case tags.object:
      return readObject(reader, depth);
    default:
      throw new DecodeError(`unknown tag ${tag} of a value`);
  }
}

/** @throws DecodeError */
export function readJson(reader: ByteReader, depth = 0): Json {
  const value = readOptionalJson(reader, depth);
  if (value === undefined) throw new DecodeError("a value is missing");
  return value;
}

/** Frozen like what was written: readers cannot tell a loaded value from a fresh one. */
function readArray(reader: ByteReader, depth: number): Json {
  const items: Json[] = [];
  for (let left = countAt(reader, depth, 1); left > 0; left -= 1) items.push(readJson(reader, depth + 1));
  return Object.freeze(items);
}

/** Keys in the order of the writer. */
function readObject(reader: ByteReader, depth: number): Json {
  const object: { [key: string]: Json } = {};
  for (let left = countAt(reader, depth, 2); left > 0; left -= 1) {
    const key = reader.text();
    put(object, key, readJson(reader, depth + 1));
  }
  return Object.freeze(object);
}

/**
 * Depth and length are bounded before anything is made, so that damaged bytes cannot exhaust stack or memory.
 */
function countAt(reader: ByteReader, depth: number, bytesEach: number): number {
  if (depth === jsonDepthMax)
    throw new DecodeError(`a value is nested deeper than jsonDepthMax ${jsonDepthMax}`);
  return reader.count(bytesEach);
}

/** NaN and infinities cannot be written, so they cannot be read either. */
function finite(value: number): number {
  if (!Number.isFinite(value)) throw new DecodeError(`${value} is not a Json number`);
  return value;
}

/** Roughly what a value occupies in memory. */
export function jsonBytes(value: Json): number {
  if (typeof value === "string") return 24 + value.length;
  if (typeof value !== "object" || value === null) return 8;
  let bytes = 32;
  if (isArray(value)) for (const item of value) bytes += jsonBytes(item);
  else for (const item of Object.values(value)) bytes += 24 + jsonBytes(item);
  return bytes;
}

/** Plain assignment, but a key `__proto__` is a key like any other. */
function put(object: { [key: string]: Json }, key: string, value: Json): void {
  if (key === "__proto__")
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  else object[key] = value;
}

/** An object of these entries, whatever their keys are. */
export function jsonObject(entries: Iterable<readonly [string, Json]>): { readonly [key: string]: Json } {
  const object: { [key: string]: Json } = {};
  for (const [key, value] of entries) put(object, key, value);
  return object;
}

function isArray(value: object): value is readonly Json[] {
  return Array.isArray(value);
}

/** What a refused value is, in words for the author. */
export function describe(value: unknown): string {
  if (typeof value !== "object" || value === null)
    return value === undefined ? "undefined" : `a ${typeof value}`;
  const maker: unknown = value.constructor;
  if (maker === Object) return "an object";
  return typeof maker === "function" && maker.name !== ""
    ? `an instance of ${maker.name}`
    : "an object of a class";
}

const givenCharsMax = 80;

/** A text is quoted: "2" would look like a number that is refused for no reason. */
export function givenText(given: unknown): string {
  if (typeof given === "string") return JSON.stringify(given.slice(0, givenCharsMax));
  if (given instanceof Promise) return "a promise";
  if (typeof given === "object" && given !== null) return Array.isArray(given) ? "an array" : "an object";
  return typeof given === "function" ? "a function" : String(given);
}
