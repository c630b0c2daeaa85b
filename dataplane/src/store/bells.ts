// Bells: one message for each session that has sent what is not delivered yet, so that it is woken though
// nobody calls it.
import { decodeNameRecord, encodeNameRecord, type SessionName, type SessionToken } from "@voda/proto/session";
import { bellSubject, bellSubjects, logStream } from "@voda/proto/wire";
import { command, directBatch, publish, type Requests } from "../nats/index.ts";

export interface Bell {
  readonly token: SessionToken;
  readonly name: SessionName;
  /** Of the node that has, or had, the session in memory. */
  readonly incarnation: string;
  readonly seq: number;
}

/** Everything that returns a promise may throw a StoreError. */
export interface Bells {
  /** Returns where it lies, or why the store does not take it. */
  ring(bell: Pick<Bell, "token" | "name" | "incarnation">): Promise<number | { readonly refusal: string }>;
  /** What was rung up to that sequence goes. */
  silence(token: SessionToken, seq: number): Promise<void>;
  all(): AsyncIterable<Bell>;
}

const incarnationBytes = 16;
const batchSize = 256;

export function openBells(requests: Requests): Bells {
  const log = logStream(0);
  return {
    ring: ({ token, name, incarnation }) => publish(requests, bellSubject(token), encode(incarnation, name)),
    silence: (token, seq) =>
      command(
        requests,
        `$JS.API.STREAM.PURGE.${log}`,
        JSON.stringify({ filter: bellSubject(token), seq: seq + 1 }),
      ),
    async *all() {
      for (let from = 1; ; ) {
        const { messages, more } = await directBatch(requests, log, bellSubjects, from, batchSize);
        for (const { seq, subject, bytes } of messages) {
          const name = decodeNameRecord(bytes.subarray(incarnationBytes));
          const token = subject.split(".")[3] as SessionToken;
          const incarnation = bytes.subarray(0, incarnationBytes).toHex();
          if (name !== undefined) yield { token, name, incarnation, seq };
        }
        if (!more) return;
        from = (messages.at(-1)?.seq ?? from) + 1;
      }
    },
  };
}

function encode(incarnation: string, name: SessionName): Uint8Array {
  const text = encodeNameRecord(name);
  const bytes = new Uint8Array(incarnationBytes + text.length);
  bytes.set(Uint8Array.fromHex(incarnation));
  bytes.set(text, incarnationBytes);
  return bytes;
}
