// Texts that come again and again between two threads, methods and callers, as bytes and back: each is coded
// once.
import { bytesEqual } from "@voda/stdx";
import { recent } from "../recent.ts";

const wordsMax = 256;
const wordBytesMax = 128;
const slots = 256;

const utf8 = new TextEncoder();
/** A byte order mark is a character like another: without `ignoreBOM` it would be taken away. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

const recentBytes = recent(wordsMax, (text) => utf8.encode(text));

/** Nobody writes to what it gives. */
export function encodeWord(text: string): Uint8Array {
  return text.length > wordBytesMax ? utf8.encode(text) : recentBytes(text);
}

interface Word {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** The last word of each slot; another one that falls into it takes its place. */
const known = new Array<Word | undefined>(slots).fill(undefined);

/** Also of shared memory, which a TextDecoder refuses. */
export function decodeWord(bytes: Uint8Array): string {
  const { length } = bytes;
  if (length > wordBytesMax) return decoder.decode(bytes.slice());
  const slot = (length * 31 + (bytes[0] ?? 0) * 7 + (bytes[length - 1] ?? 0)) % slots;
  const word = known[slot];
  if (word !== undefined && bytesEqual(word.bytes, bytes)) return word.text;
  const copy = bytes.slice();
  const text = decoder.decode(copy);
  known[slot] = { bytes: copy, text };
  return text;
}
