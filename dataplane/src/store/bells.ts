// Bells: one message for each session that has sent what is not delivered yet, so that it is woken though
// nobody calls it.
import { decodeNameRecord, encodeNameRecord, type SessionName, type SessionToken } from "@voda/proto/session";
import { bellSubject, bellSubjects, logStream } from "@voda/proto/wire";
import { command, directBatch, fromLeader, publish, type Requests } from "../nats/index.ts";

export interface Bell {
  readonly token: SessionToken;
  readonly name: SessionName;
  /** Of the node that has, or had, the session in memory. */
  readonly incarnation: string;
  /** When somebody must look at the session, by the store's clock; 0: at once. */
  readonly dueMs: number;
  readonly seq: number;
}

/** Everything that returns a promise may throw a StoreError. */
export interface Bells {
  /** Returns where it lies, or why the store does not take it. */
  ring(
    bell: Pick<Bell, "token" | "name" | "incarnation" | "dueMs">,
  ): Promise<number | { readonly refusal: string }>;
  /** What was rung up to that sequence goes. */
  silence(token: SessionToken, seq: number): Promise<void>;
  /** Those that lie at or after that sequence, in order. */
  from(seq: number): AsyncIterable<Bell>;
  /** Whether nobody has taken it away. */
  isThere(bell: Pick<Bell, "token" | "seq">): Promise<boolean>;
}

const incarnationBytes = 16;
const dueBytes = 8;
/** What the name begins with; no time that a bell says does. */
const jsonStart = 0x5b;
const batchSize = 256;

export function openBells(requests: Requests): Bells {
  const log = logStream(0);
  return {
    ring: (bell) => publish(requests, bellSubject(bell.token), encode(bell)),
    silence: (token, seq) =>
      command(
        requests,
        `$JS.API.STREAM.PURGE.${log}`,
        JSON.stringify({ filter: bellSubject(token), seq: seq + 1 }),
      ),
    async isThere({ token, seq }) {
      const found = await fromLeader(requests, log, { seq, next_by_subj: bellSubject(token) });
      return found?.seq === seq;
    },
    async *from(first) {
      for (let from = first; ; ) {
        const { messages, more } = await directBatch(requests, {
          stream: log,
          filter: bellSubjects,
          seq: from,
          count: batchSize,
        });
        for (const { seq, subject, bytes } of messages) {
          const at = incarnationBytes + (bytes[incarnationBytes] === jsonStart ? 0 : dueBytes);
          const name = decodeNameRecord(bytes.subarray(at));
          const token = subject.split(".")[3] as SessionToken;
          const incarnation = bytes.subarray(0, incarnationBytes).toHex();
          if (name !== undefined) yield { token, name, incarnation, dueMs: dueOf(bytes), seq };
        }
        if (!more) return;
        from = (messages.at(-1)?.seq ?? from) + 1;
      }
    },
  };
}

function encode({ incarnation, dueMs, name }: Pick<Bell, "name" | "incarnation" | "dueMs">): Uint8Array {
  const text = encodeNameRecord(name);
  const bytes = new Uint8Array(incarnationBytes + dueBytes + text.length);
  bytes.set(Uint8Array.fromHex(incarnation));
  new DataView(bytes.buffer).setBigUint64(incarnationBytes, BigInt(dueMs));
  bytes.set(text, incarnationBytes + dueBytes);
  return bytes;
}

/** Bells of versions before timers have none, and are due at once. */
function dueOf(bytes: Uint8Array): number {
  if (bytes[incarnationBytes] === jsonStart) return 0;
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(incarnationBytes));
}
