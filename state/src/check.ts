// What can be seen of durable bytes without the state that they belong to, for whoever stores what another
// thread wrote: what passes, and follows what was before, loads again unless what fields hold in it is wrong.
import { DecodeError } from "@voda/stdx";
import { readDot } from "./delta.ts";
import { type Crc32, envelopeKinds, openEnvelope } from "./envelope.ts";
import { CorruptError, UnsupportedFormatError } from "./errors.ts";
import { readHead } from "./snapshot.ts";

/** Whether bytes are to blame: `checkDelta`, `checkPage` and `checkHead` throw nothing else. */
export function isDamage(error: unknown): error is Error {
  return [DecodeError, CorruptError, UnsupportedFormatError].some((type) => error instanceof type);
}

/**
 * The number of the transaction.
 * @throws DecodeError | CorruptError | UnsupportedFormatError
 */
export function checkDelta(bytes: Uint8Array, crc32: Crc32): number {
  const { body } = openEnvelope(bytes, envelopeKinds.delta, crc32);
  const { seq } = readDot(body);
  for (let left = body.count(3); left > 0; left -= 1) {
    body.block(); // the name
    body.u8(); // its kind
    body.block();
  }
  body.end();
  return seq;
}

/** Of a page alone. @throws DecodeError | CorruptError | UnsupportedFormatError */
export function checkPage(bytes: Uint8Array, crc32: Crc32): void {
  openEnvelope(bytes, envelopeKinds.page, crc32);
}

/**
 * Whether pages that have each been checked are one snapshot; the number of its last transaction.
 * @throws DecodeError | CorruptError | UnsupportedFormatError
 */
export function checkHead([head, ...rest]: readonly Uint8Array[], crc32: Crc32): number {
  if (head === undefined) throw new DecodeError("a snapshot without pages");
  return readHead(openEnvelope(head, envelopeKinds.page, crc32).body, rest);
}
