// Sessions whose lane is behind its mark: found by comparing the two, and let go on when somebody accepts
// the loss.
import { create } from "@bufbuild/protobuf";
import { type JetStreamManager, jetstream, type StoredMsg } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { type LostSession, LostSessionSchema, SessionRefSchema } from "@voda/proto/api";
import { hash16 } from "@voda/proto/hash16";
import { decodeMark, encodeMark, isBehind, type Mark, type Marked } from "@voda/proto/mark";
import { type SessionName, sessionToken } from "@voda/proto/session";
import { laneSubjects, logStream, markSubject, markSubjects, marksStream } from "@voda/proto/wire";
import { ControlError } from "../errors.ts";
import { recordsFrom } from "./lanes.ts";

/** Marks that are compared for one page. */
const pageMarksMax = 4_096;
/** Lanes that are read at once. */
const readsMax = 32;
/** Of a record that never was. */
const noHash = new Uint8Array(16);

/** A mark beside the last record that is there. */
interface Found {
  readonly name: SessionName;
  readonly mark: Mark;
  readonly last: Marked | undefined;
}

/** @throws ControlError `bad_request` */
export async function listLost(
  jsm: JetStreamManager,
  pageToken: string,
): Promise<{ sessions: LostSession[]; nextPageToken: string }> {
  if (!/^\d{0,15}$/.test(pageToken))
    throw ControlError.of("bad_request", "page_token is not one that ListLostSessions gave out");
  const messages: StoredMsg[] = [];
  const from = Math.max(1, Number(pageToken));
  const query = { stream: marksStream(0), filter: markSubjects };
  for await (const message of recordsFrom(jsm, query, from)) {
    messages.push(message);
    if (messages.length === pageMarksMax) break;
  }
  const sessions: LostSession[] = [];
  for (let at = 0; at < messages.length; at += readsMax) {
    const found = await Promise.all(
      messages.slice(at, at + readsMax).map((message) => compare(jsm, message)),
    );
    sessions.push(...found.flatMap((one) => (one !== undefined && isLost(one) ? [describe(one)] : [])));
  }
  const isFull = messages.length === pageMarksMax;
  return { sessions, nextPageToken: isFull ? String((messages.at(-1)?.seq ?? 0) + 1) : "" };
}

const isLost = ({ mark, last }: Found): boolean =>
  !mark.isAccepted && isBehind(mark, last === undefined ? [] : [last]);

/** A mark that cannot be read says nothing of its session: it is left out of the list. */
async function compare(jsm: JetStreamManager, message: StoredMsg): Promise<Found | undefined> {
  const marked = decodeMark(message.data);
  return marked && { ...marked, last: await lastOf(jsm, marked.name) };
}

async function lastOf(jsm: JetStreamManager, name: SessionName): Promise<Marked | undefined> {
  const query = { last_by_subj: laneSubjects(sessionToken(name)).fence };
  const last = await jsm.direct.getMessage(logStream(0), query);
  if (last === null) return undefined;
  return { seq: last.seq, hash: hash16(last.data) };
}

function describe({ name, mark, last }: Found): LostSession {
  return create(LostSessionSchema, {
    session: create(SessionRefSchema, name),
    acknowledgedPosition: BigInt(mark.n),
    acknowledgedSequence: BigInt(mark.seq),
    lastSequence: BigInt(last?.seq ?? 0),
  });
}

interface LostContext {
  readonly connection: NatsConnection;
  readonly jsm: JetStreamManager;
}

/**
 * Whoever wakes the session next goes on from what links. Only over the mark that was read: a node that
 * writes one at this moment has the session, which is not lost then. `wake` tells of a lane that has its last
 * record whether it is whole: an accepted mark of it would let later losses pass.
 * @throws ControlError
 */
export async function acceptLoss(
  { connection, jsm }: LostContext,
  name: SessionName,
  wake: () => Promise<unknown>,
): Promise<LostSession> {
  const subject = markSubject(sessionToken(name));
  const stored = await jsm.direct.getMessage(marksStream(0), { last_by_subj: subject });
  const last = await lastOf(jsm, name);
  const mark = stored === null ? await markOfNone(jsm, name, last) : decodeMark(stored.data)?.mark;
  if (mark === undefined) {
    const { agent, key } = name;
    throw ControlError.of("bad_request", `${agent}/${key} is not there: it has lost nothing`);
  }
  const isAccepted = stored !== null && mark.isAccepted;
  if (!isAccepted && !isBehind(mark, last === undefined ? [] : [last])) await refuseWhole(name, wake);
  await jetstream(connection).publish(subject, encodeMark({ ...mark, isAccepted: true }, name), {
    expect: { lastSubjectSequence: stored?.seq ?? 0 },
  });
  return describe({ name, mark, last });
}

/** Only a node reads all of a lane. @throws ControlError when it finds no fault in it, or cannot look */
async function refuseWhole({ agent, key }: SessionName, wake: () => Promise<unknown>): Promise<void> {
  try {
    await wake();
  } catch (error) {
    if (error instanceof ControlError && error.code === "data_loss") return;
    throw error;
  }
  const message = `${agent}/${key} is whole: it has lost nothing, and nothing is accepted`;
  throw ControlError.of("bad_request", message);
}

/** A lane can be damaged before it was ever marked: what it has is what counts. */
async function markOfNone(
  jsm: JetStreamManager,
  name: SessionName,
  last: Marked | undefined,
): Promise<Mark | undefined> {
  const named = await jsm.direct.getMessage(logStream(0), {
    last_by_subj: laneSubjects(sessionToken(name)).name,
  });
  if (named === null && last === undefined) return undefined;
  const seen = last ?? { seq: 0, hash: noHash };
  return { ...seen, n: 0, isGone: false, isAccepted: true };
}
