import { headers } from "@nats-io/transport-node";
import type { Traces } from "@voda/proto/mark";
import {
  encodeNameRecord,
  type NamedSession,
  type SessionName,
  type SessionToken,
} from "@voda/proto/session";
import { ensureStreams, type StreamsMade } from "@voda/proto/streams";
import {
  laneSubjects,
  logStream,
  type NamedPage,
  type PageName,
  type PageReference,
  snapshotStream,
} from "@voda/proto/wire";
import { assert } from "@voda/stdx";
import type { AppendOutcome, Appends } from "../commit/index.ts";
import {
  command,
  direct,
  directBatch,
  fromLeader,
  type Requests,
  requestsMax,
  type StoredMessage,
} from "../nats/index.ts";
import { openGate } from "./gate.ts";
import { deletePages, readPages, writePages } from "./pages.ts";
import { readTraces } from "./traces.ts";

/**
 * The stored half of sessions: records of lanes, pages of snapshots, names. Reads are hints; only an accepted
 * append proves anything. Everything that returns a promise may throw a StoreError.
 */
export interface Store {
  /** The last record of the lane: one read, from any replica. */
  last(token: SessionToken): Promise<StoredMessage | undefined>;
  /** The same from the leader. */
  lastFromLeader(token: SessionToken): Promise<StoredMessage | undefined>;
  /** Records of the lane at or after `from`, ascending; all of them, or the first `limit`. */
  range(token: SessionToken, from: number, options?: RangeOptions): Promise<StoredMessage[]>;
  /** Records of the lane at those sequences, ascending as they are; what lies elsewhere is left out. */
  recordsAt(token: SessionToken, seqs: readonly number[]): Promise<StoredMessage[]>;
  /**
   * From the leader: whether the session has a name record, and then, whether its lane has any record.
   * JetStream says of a last message that it cannot read that there is none.
   */
  traces(token: SessionToken): Promise<Traces>;
  /**
   * Removes the records before `below`, which must not be beyond the lane's last: a lane is never emptied.
   */
  trim(token: SessionToken, below: number): Promise<void>;
  /**
   * Removes what a session leaves before its tombstone at `goneSeq`: records and name. What a session that is
   * created again has written since stays.
   */
  purgeSession(token: SessionToken, goneSeq: number): Promise<void>;
  /** Writes immutable pages; returns when all are stored. */
  writePages(token: SessionToken, pages: readonly NamedPage[]): Promise<void>;
  /** In the order of the names; `undefined` where there is none, or none with that hash. */
  readPages(token: SessionToken, names: readonly PageReference[]): Promise<(Uint8Array | undefined)[]>;
  deletePages(token: SessionToken, names: readonly PageName[]): Promise<void>;
  /** Writes the name record; there is one per session. `isBorn`: one that is there is of an earlier life. */
  publishName(token: SessionToken, name: SessionName, isBorn: boolean): Promise<void>;
}

/**
 * `leader`: one read per record, never old; default any replica, which is one read for 600. `limit`: default
 * all.
 */
export interface RangeOptions {
  readonly leader?: boolean;
  readonly limit?: number;
}

interface Named extends NamedSession {
  readonly isBorn: boolean;
}

/** Records per read: a fold comes every 512 records, so a wake is one read. */
const rangeBatch = 600;
/**
 * Of one node. nats-server looks for the records of one lane among all that lie between them, which takes it
 * milliseconds: hundreds at once, as when the sessions of a dead node are woken, keep it from leases.
 */
const tailsAtOnceMax = 8;

/**
 * The commit is the owner's: pages and names are appends like records, with an expectation of 0 on their own
 * subject.
 */
export function openStore(requests: Requests, commit: Appends): Store {
  const log = logStream(0);
  const tails = openGate({ insideMax: tailsAtOnceMax, waitingMax: requestsMax });
  const purge = (stream: string, filter: string, more: object = {}): Promise<void> =>
    command(requests, `$JS.API.STREAM.PURGE.${stream}`, JSON.stringify({ filter, ...more }));
  return {
    last: (token) => direct(requests, log, { last_by_subj: laneSubjects(token).fence }),
    lastFromLeader: (token) => fromLeader(requests, log, { last_by_subj: laneSubjects(token).fence }),
    range: (token, from, options = {}) =>
      tails(() => range(requests, laneSubjects(token).plain, from, options)),
    recordsAt: (token, seqs) => tails(() => recordsAt(requests, laneSubjects(token).plain, seqs)),
    traces: (token) => readTraces(requests, token),
    trim(token, below) {
      assert(below > 0, `trim below ${below}: 0 would purge the whole lane`);
      return purge(log, laneSubjects(token).plain, { seq: below });
    },
    async purgeSession(token, goneSeq) {
      assert(goneSeq > 0, `tombstone at ${goneSeq}`);
      await purge(log, laneSubjects(token).plain, { seq: goneSeq });
      await purge(log, laneSubjects(token).name, { seq: goneSeq });
    },
    writePages: (token, pages) => writePages(requests, commit, token, pages),
    readPages: (token, names) => readPages(requests, token, names),
    deletePages: (token, names) => deletePages(token, names, (subject) => purge(snapshotStream(0), subject)),
    publishName: (token, name, isBorn) => publishName(requests, commit, { token, name, isBorn }),
  };
}

/**
 * Creates the streams and buckets that are missing, and names them.
 * @throws IncompatibleStreamError, UnsupportedStoreError, StoreError
 */
export function createStreams(requests: Requests, replicas: number): Promise<StreamsMade> {
  return ensureStreams(async (subject, body) => (await requests.ask(subject, body)).string(), replicas);
}

async function recordsAt(
  requests: Requests,
  plain: string,
  seqs: readonly number[],
): Promise<StoredMessage[]> {
  const found = await Promise.all(seqs.map((seq) => direct(requests, logStream(0), { seq })));
  // a log that was restored may have those of others there
  return found.filter((record) => record !== undefined).filter(({ subject }) => subject === plain);
}

/** A batch that ends at a gap of sequences goes on after its last record; other lanes lie in between. */
async function range(
  requests: Requests,
  plain: string,
  from: number,
  options: RangeOptions,
): Promise<StoredMessage[]> {
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const records: StoredMessage[] = [];
  let seq = Math.max(1, from);
  while (records.length < limit) {
    if (options.leader === true) {
      const next = await fromLeader(requests, logStream(0), { seq, next_by_subj: plain });
      if (next === undefined) break;
      records.push(next);
    } else {
      const count = Math.min(rangeBatch, limit - records.length);
      const batch = await directBatch(requests, { stream: logStream(0), filter: plain, seq, count });
      records.push(...batch.messages);
      if (!batch.more) break;
    }
    seq = (records.at(-1)?.seq ?? seq) + 1;
  }
  return records;
}

/**
 * An append like any other, unless there is a name already: that of an earlier life, which may not be purged
 * yet, gives its place.
 */
async function publishName(
  requests: Requests,
  commit: Appends,
  { token, name, isBorn }: Named,
): Promise<void> {
  const subject = laneSubjects(token).name;
  const payload = encodeNameRecord(name);
  const outcome = await new Promise<AppendOutcome>((resolve) => {
    commit.append({ subject, fence: subject, expect: 0, payload }, resolve);
  });
  if (outcome.type === "acked" || (outcome.type === "refused" && !isBorn)) return;
  const rollup = headers();
  rollup.set("Nats-Rollup", "sub");
  await command(requests, subject, payload, rollup);
}
