// Where the records before this one lie, as records have it (decision 32): a hint for whoever wakes a session
// whose records lie far apart. Only their chain proves that none is missing.
import type { ByteReader, ByteWriter } from "@voda/stdx";
import { readList } from "./words.ts";

/** Of the records before this one that replay needs. */
export interface TrailPart {
  readonly count: number;
  /** Sequence of the first. */
  readonly first: number;
  /** Sequences of the last `trailMax`, ascending. */
  readonly seqs: readonly number[];
}

/** Each sequence as its distance from the one before it, the first of them from `first`. */
export const trailPart = {
  isEmpty: ({ count }: TrailPart): boolean => count === 0,
  write(writer: ByteWriter, { count, first, seqs }: TrailPart): void {
    writer.varint(count);
    writer.varint(first);
    writer.varint(seqs.length);
    let before = first;
    for (const seq of seqs) {
      writer.varint(seq - before);
      before = seq;
    }
  },
  read(reader: ByteReader): TrailPart {
    const [count, first] = [reader.varint(), reader.varint()];
    let seq = first;
    const seqs = readList(reader, 1, (body) => {
      seq += body.varint();
      return seq;
    });
    return { count, first, seqs };
  },
};
