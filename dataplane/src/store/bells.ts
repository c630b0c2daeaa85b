// Bells: one message for each session that has sent what is not delivered yet, so that it is woken though
// nobody calls it.
import { decodeBell, encodeBell, type StoredBell } from "@voda/proto/bell";
import type { SessionToken } from "@voda/proto/session";
import { bellSubject, bellSubjects, logStream } from "@voda/proto/wire";
import { command, directBatch, fromLeader, publish, type Requests } from "../nats/index.ts";

export interface Bell extends StoredBell {
  readonly token: SessionToken;
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

const batchSize = 256;

export function openBells(requests: Requests): Bells {
  const log = logStream(0);
  return {
    ring: (bell) => publish(requests, bellSubject(bell.token), encodeBell(bell)),
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
          const token = subject.split(".")[3] as SessionToken;
          const bell = decodeBell(bytes);
          if (bell !== undefined) yield { ...bell, token, seq };
        }
        if (!more) return;
        from = (messages.at(-1)?.seq ?? from) + 1;
      }
    },
  };
}
