// The stored half of sessions, as the reactor wants it: each request is answered or fails.

import { encodeDeadLetter } from "@voda/proto/dead-letter";
import type { NamedSession, SessionToken } from "@voda/proto/session";
import { deadSubject, laneSubjects } from "@voda/proto/wire";
import type { Logger } from "pino";
import type { AppendOutcome, AppendRequest, Appends } from "../commit/index.ts";
import { tombstoneMs } from "../lane/index.ts";
import type { Burial, LastSeen, Resolver, StorePort } from "../reactor/index.ts";
import { recent } from "../recent.ts";
import type { AsleepTrims, Bells, Marks, Names, Store } from "../store/index.ts";

/** The stored half of sessions, and who hears of what it did not do. */
export interface StoreParts {
  readonly commit: Appends;
  readonly store: Store;
  readonly marks: Marks;
  readonly asleep: AsleepTrims;
  readonly bells: Bells;
  readonly names: Names;
  readonly log: Logger;
}

/** Sessions whose subjects are remembered: they stand in each of their records. */
const subjectsMax = 10_000;

/**
 * A read or a write of pages ends within seconds, one way or the other. Trims and deletions are not waited
 * for: what they leave costs space until the next fold. Names are tried again.
 */
export function createStorePort(parts: StoreParts): StorePort {
  const { commit, store, marks, asleep, names: nameRecords, log } = parts;
  const [reply, unwatched] = [replying(log), watching(log)];
  const subjectsOf = recent(subjectsMax, (token: SessionToken) => laneSubjects(token));
  const lastFromAny = async ({ token }: NamedSession): Promise<LastSeen> => {
    const [record, mark] = await Promise.all([store.last(token), marks.read(token)]);
    return { record, mark };
  };
  const lastFromLeader = async ({ token }: NamedSession): Promise<LastSeen> => {
    const mark = await marks.read(token);
    return { record: await store.lastFromLeader(token), mark };
  };

  return {
    append(session, { expect, bytes: payload, gone }, { accepted, refused, rejected }) {
      const { plain: subject, fence } = subjectsOf(session.token);
      const done = (outcome: AppendOutcome): void => {
        if (outcome.type === "acked") {
          accepted(outcome.seq);
          const left = "an ended session's pages or name stay in the store";
          if (!gone) return;
          nameRecords.forget(session.token);
          unwatched(session, store.purgeSession(session.token, outcome.seq), left);
        } else if (outcome.type === "refused") {
          refused();
        } else if (outcome.type === "error") {
          log.warn({ outcome, session: session.name }, "the store refused a record");
          rejected(outcome.description);
        }
      };
      const record: AppendRequest = { subject, fence, expect, payload };
      commit.append(gone ? { ...record, rollup: true, ttlSeconds: tombstoneMs / 1000 } : record, done);
    },
    last(session, leader, told) {
      reply(session, "last", leader ? lastFromLeader(session) : lastFromAny(session), told);
    },
    range(session, { from, leader, limit }, told) {
      const options = { leader, ...(limit !== undefined && { limit }) };
      reply(session, "range", store.range(session.token, from, options), told);
    },
    recordsAt(session, seqs, told) {
      reply(session, "recordsAt", store.recordsAt(session.token, seqs), told);
    },
    traces(session, told) {
      reply(session, "traces", store.traces(session.token), told);
    },
    readPages(session, names, told) {
      reply(session, "readPages", store.readPages(session.token, names), told);
    },
    writePages(session, pages, told) {
      reply(session, "writePages", store.writePages(session.token, pages), told);
    },
    mark: (session, mark, isUrgent) => marks.note(session, mark, isUrgent),
    trim(session, below) {
      unwatched(session, store.trim(session.token, below), "records stay in the store until the next fold");
    },
    trimAsleep({ token }, { hash, below, inMs }) {
      asleep.add({ token, hash, below, inMs });
    },
    deletePages(session, names) {
      unwatched(session, store.deletePages(session.token, names), "pages stay in the store");
    },
    ...besideLanes(parts),
    writeName: ({ token, name }, isBorn) => nameRecords.write(token, name, isBorn),
  };
}

type Reply = <T>(session: NamedSession, what: string, answer: Promise<T>, told: Resolver<T>) => void;
type Unwatched = (session: NamedSession, work: Promise<unknown>, left: string) => void;

/** Each request ends, one way or the other. */
const replying =
  (log: Logger): Reply =>
  ({ name }, what, answer, told) => {
    answer.then(told.answered, (err: unknown) => {
      log.warn({ err, session: name, what }, "the store did not answer");
      told.failed();
    });
  };

/** What is left when it fails is in the log, and nothing else follows. */
const watching =
  (log: Logger): Unwatched =>
  ({ name }, work, left) => {
    work.catch((err: unknown) => log.warn({ err, session: name }, left));
  };

/** Bells and dead letters. */
function besideLanes({ commit, bells, log }: StoreParts): Pick<StorePort, "ring" | "unring" | "bury"> {
  const [reply, unwatched] = [replying(log), watching(log)];
  return {
    ring(session, bell, { answered, rejected, failed }) {
      const told = (rung: number | { readonly refusal: string }): void => {
        if (typeof rung === "number") answered(rung);
        else rejected(rung.refusal);
      };
      reply(session, "ring", bells.ring({ ...session, ...bell }), { answered: told, failed });
    },
    unring(session, seq) {
      unwatched(session, bells.silence(session.token, seq), "the bell of a session that sleeps stays");
    },
    bury(session, dead, told) {
      // what is there already is this very letter
      commit.append(requestOf(session, dead), (outcome) => {
        if (outcome.type === "acked") told.answered(outcome.seq);
        else if (outcome.type === "refused") told.answered(undefined);
        else told.failed();
      });
    },
  };
}

function requestOf(session: NamedSession, { source, letter, failure, attempts }: Burial): AppendRequest {
  const { n, agent, key, method, body, atMs: sentAtMs } = letter;
  const { code, reason, message } = failure;
  const subject = deadSubject(session.token, source.toHex(), n);
  const of = { from: session.name, n, agent, key, method, body };
  const payload = encodeDeadLetter({ ...of, code, reason, message, attempts, sentAtMs });
  return { subject, fence: subject, expect: 0, payload };
}
