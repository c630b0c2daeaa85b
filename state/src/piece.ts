// How the bytes of a field are cut for pages. All pieces but the last of a field have at least
// `pieceAloneBytes`.
import { pageBytesMax } from "@voda/proto/wire";

/** Room in a page for the envelope and for the header of a piece: name, kind, form, length. */
export const pieceBytesMax = pageBytesMax - 512;
/** A piece of this size has a page of its own; smaller ones share pages. */
export const pieceAloneBytes = 8 * 1024;

/** Parts of `size` bytes, the last one what is left: bytes before a change stay in equal parts. */
export function cutEvery(bytes: Uint8Array, size: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size));
  return parts;
}

/** The fewest parts that fit, of about one size, so that none is small. */
export function cutEvenly(bytes: Uint8Array): Uint8Array[] {
  const parts = Math.ceil(bytes.length / pieceBytesMax);
  return cutEvery(bytes, Math.ceil(bytes.length / Math.max(1, parts)));
}

/** What kept pieces occupy. */
export function piecesBytes(pieces: readonly Uint8Array[] | undefined): number {
  let bytes = 0;
  for (const piece of pieces ?? []) bytes += piece.length;
  return bytes;
}

/** Between two places where a piece may end, on average. */
const pieceBytes = 16 * 1024;

/** Once in about `pieceBytes` of entries, by the key alone: FNV-1a with its last bits mixed. */
export function endsPiece(key: string, bytes: number): boolean {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 13)) >>> 0) * pieceBytes < bytes * 2 ** 32;
}
