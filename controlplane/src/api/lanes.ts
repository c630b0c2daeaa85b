// What the log tells of sessions that no node has in memory.
import { JetStreamError, type JetStreamManager, type StoredMsg } from "@nats-io/jetstream";
import { decodeBell, type StoredBell } from "@voda/proto/bell";
import { decodeNameRecord, type SessionName, type SessionToken } from "@voda/proto/session";
import { bellSubject, laneSubjects, logStream, writerOf } from "@voda/proto/wire";

/** Every token's name record. */
const nameRecords = "v.log.*.*.i";
/** Only the tombstone, the last record of an ended session, has a time to live. */
const ttlHeader = "Nats-TTL";
const batchMax = 512;
/** Of one batch: what is read at once lies in memory. */
const batchBytesMax = 1024 * 1024;
const names = { stream: logStream(0), filter: nameRecords };
/** "no results": nothing in the stream matches, from the sequence on. */
const noResults = 404;

/** What the lane's last record says of a session. */
export interface InLog {
  /** The life of a node that wrote it. */
  readonly writer: string;
}

/** Undefined unless the lane holds a session: it has records, and the last one is not a tombstone. */
export async function inLog(jsm: JetStreamManager, token: SessionToken): Promise<InLog | undefined> {
  const last = await jsm.direct.getMessage(logStream(0), { last_by_subj: laneSubjects(token).fence });
  return last === null || last.header.has(ttlHeader) ? undefined : { writer: writerOf(last.data) };
}

/** What has a session woken that nobody calls; `undefined`: nothing has. */
export async function bellOf(jsm: JetStreamManager, token: SessionToken): Promise<StoredBell | undefined> {
  const last = await jsm.direct.getMessage(logStream(0), { last_by_subj: bellSubject(token) });
  return last === null ? undefined : decodeBell(last.data);
}

/** Names in the order of their birth, from a sequence on; each with the sequence after it. */
export async function* namesFrom(
  jsm: JetStreamManager,
  sequence: number,
): AsyncGenerator<{ name: SessionName; next: number }> {
  for await (const { seq, data } of recordsFrom(jsm, names, sequence)) {
    const name = decodeNameRecord(data);
    if (name !== undefined) yield { name, next: seq + 1 };
  }
}

interface RecordsQuery {
  readonly stream: string;
  readonly filter: string;
}

/** All that match, from a sequence on. A short batch need not be the last: bytes end it, too. */
export async function* recordsFrom(
  jsm: JetStreamManager,
  query: RecordsQuery,
  sequence: number,
): AsyncGenerator<StoredMsg> {
  let from = sequence;
  for (let before = 0; before !== from; ) {
    before = from;
    for await (const record of batchFrom(jsm, query, from)) {
      from = record.seq + 1;
      yield record;
    }
  }
}

/** A stream where nothing matches is an answer, not a failure: a mesh without sessions has none to list. */
async function* batchFrom(
  jsm: JetStreamManager,
  { stream, filter }: RecordsQuery,
  seq: number,
): AsyncGenerator<StoredMsg> {
  try {
    yield* await jsm.direct.getBatch(stream, {
      seq,
      next_by_subj: filter,
      batch: batchMax,
      max_bytes: batchBytesMax,
    });
  } catch (error) {
    if (!(error instanceof JetStreamError && "code" in error && error.code === noResults)) throw error;
  }
}
