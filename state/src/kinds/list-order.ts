// Keys that put items of a list in order: there is one between any two, so that an insertion or a move writes
// one item and no other. A key is an integer, whose first letter says how many digits it has, and a fraction.
// Appending counts the integer up: keys of a list that only grows by its ends have few characters.

/** In the order of their code units, as `<` compares keys: capital letters come first, in both rows. */
const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const last = digits.length - 1;
const first = "a0";

const digitOf = (key: string, at: number): number => digits.indexOf(key.charAt(at));

/** Digits after the letter: 1 of `a` and `Z`, 26 of `z` and `A`. */
function digitsAfter(letter: number): number {
  return letter >= 0x61 ? letter - 0x60 : 0x5b - letter;
}

const integerOf = (key: string): string => key.slice(0, 1 + digitsAfter(key.charCodeAt(0)));

/** Whether it is one that `between` gives: before a fraction that ends with a 0 there may be no other. */
export function isOrder(key: string): boolean {
  const integerLength = 1 + digitsAfter(key.charCodeAt(0));
  if (!/^[A-Za-z][0-9A-Za-z]+$/.test(key) || key.length < integerLength) return false;
  return key.length === integerLength || !key.endsWith("0");
}

/** A key that is greater than `before` and less than `after`; `undefined`: the list's end. */
export function between(before: string | undefined, after: string | undefined): string {
  if (before === undefined) return after === undefined ? first : belowOf(after);
  const integer = integerOf(before);
  if (after === undefined) return stepped(integer, 1);
  if (integer === integerOf(after))
    return integer + middle(before.slice(integer.length), after.slice(integer.length));
  const next = stepped(integer, 1);
  return next < after ? next : integer + middle(before.slice(integer.length), undefined);
}

/** An integer, and one without a fraction where there is one: prepending counts down. */
function belowOf(after: string): string {
  const integer = integerOf(after);
  return integer < after ? integer : stepped(integer, -1);
}

/** The next integer, up or down. 62^26 of them are never used up. */
function stepped(integer: string, by: 1 | -1): string {
  const wraps = by === 1 ? last : 0;
  let at = integer.length - 1;
  while (at > 0 && digitOf(integer, at) === wraps) at -= 1;
  const rest = (by === 1 ? "0" : "z").repeat(integer.length - 1 - at);
  if (at > 0) return integer.slice(0, at) + digits.charAt(digitOf(integer, at) + by) + rest;
  const letter = String.fromCharCode(nextLetter(integer.charCodeAt(0), by));
  return letter + (by === 1 ? "0" : "z").repeat(digitsAfter(letter.charCodeAt(0)));
}

/** From `Z` to `a`, for the letters do not follow each other. */
function nextLetter(letter: number, by: 1 | -1): number {
  if (by === 1 && letter === 0x5a) return 0x61;
  return by === -1 && letter === 0x61 ? 0x5a : letter + by;
}

/** A fraction between two, which does not end with a 0; `undefined`: 1. */
function middle(low: string, high: string | undefined): string {
  const same = high === undefined ? 0 : commonDigits(low, high);
  if (high !== undefined && same > 0) return high.slice(0, same) + middle(low.slice(same), high.slice(same));
  const from = low === "" ? 0 : digitOf(low, 0);
  const to = high === undefined ? digits.length : digitOf(high, 0);
  if (to - from > 1) return digits.charAt((from + to) >> 1);
  if (high !== undefined && high.length > 1) return high.charAt(0);
  return digits.charAt(from) + middle(low.slice(1), undefined);
}

/** How many digits both begin with; `low` goes on with zeros. */
function commonDigits(low: string, high: string): number {
  let at = 0;
  while (at < high.length && (low.charAt(at) || "0") === high.charAt(at)) at += 1;
  return at;
}

/** So many keys between two, none longer than it must be. */
export function spread(before: string | undefined, after: string | undefined, count: number): string[] {
  if (count === 0) return [];
  const key = between(before, after);
  const below = (count - 1) >> 1;
  return [...spread(before, key, below), key, ...spread(key, after, count - 1 - below)];
}
