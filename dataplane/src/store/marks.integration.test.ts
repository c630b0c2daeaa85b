import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { decodeMark, encodeMark, type Mark } from "@voda/proto/mark";
import { type SessionName, type SessionToken, sessionToken } from "@voda/proto/session";
import { markSubject, marksStream } from "@voda/proto/wire";
import { systemClock } from "@voda/stdx";
import { type Nats, startNats, waitUntil } from "@voda/test/kit";
import { type Commit, openCommit } from "../commit/index.ts";
import {
  type Connection,
  command,
  directLast,
  openConnection,
  openRequests,
  type Requests,
} from "../nats/index.ts";
import { createStreams, type Marks, openMarks } from "./index.ts";
import { markMsMax } from "./marks.ts";

const cleanup = new AsyncDisposableStack();
let server: Nats;
let connection: Connection;
let requests: Requests;
let commit: Commit;

before(async () => {
  server = cleanup.use(await startNats());
  connection = cleanup.use(await openConnection({ url: server.url, name: "test" }));
  requests = cleanup.use(openRequests(connection, systemClock));
  await createStreams(requests, 1);
  commit = cleanup.use(openCommit(connection, systemClock));
});
after(() => cleanup.disposeAsync());

/** Of one node. */
const open = (clock = systemClock): Marks =>
  openMarks({ requests, commit, clock, goneSeconds: 60, onFailed: () => undefined });

function sessionOf(key: string): { name: SessionName; token: SessionToken } {
  const name = { namespace: "default", agent: "a", key };
  return { name, token: sessionToken(name) };
}

const markAt = (seq: number): Mark => ({
  seq,
  n: seq,
  hash: new Uint8Array(16).fill(seq),
  isGone: false,
  isAccepted: false,
});

async function stored(token: SessionToken): Promise<Mark | undefined> {
  const last = await directLast(requests, marksStream(0), markSubject(token));
  return last && decodeMark(last.bytes)?.mark;
}

test("a mark is known at once, and stored soon: of many only the last; an urgent one at once", async () => {
  let nowMs = 0;
  await using marks = open({ ...systemClock, monotonicMs: () => nowMs });
  const session = sessionOf("many");
  for (let seq = 1; seq <= 100; seq += 1) marks.note(session, markAt(seq), false);
  assert.equal((await marks.read(session.token))?.seq, 100);
  assert.equal(await stored(session.token), undefined);
  marks.note(session, markAt(101), true);
  await waitUntil(async () => (await stored(session.token))?.seq === 101, "the urgent mark is stored");
  marks.note(session, markAt(102), false);
  nowMs = markMsMax;
  await waitUntil(async () => (await stored(session.token))?.seq === 102, "the next mark is stored");
});

test("the mark of a node that was stopped does not replace that of the owner after it", async () => {
  await using late = open();
  await using next = open();
  const session = sessionOf("late");
  next.note(session, markAt(9), true);
  await waitUntil(async () => (await stored(session.token))?.seq === 9, "it is stored");
  late.note(session, markAt(5), true);
  await waitUntil(async () => (await late.read(session.token))?.seq === 9, "it is given up");
  late.note(session, markAt(12), true);
  await waitUntil(async () => (await stored(session.token))?.seq === 12, "a later one is stored");
});

test("a mark that somebody accepted is replaced by that of the next record, though it is lower", async () => {
  await using marks = open();
  const session = sessionOf("accepted");
  marks.note(session, markAt(9), true);
  await waitUntil(async () => (await stored(session.token))?.seq === 9, "it is stored");
  const accepted = encodeMark({ ...markAt(9), isAccepted: true }, session.name);
  await command(requests, markSubject(session.token), accepted);
  assert.equal((await marks.read(session.token))?.isAccepted, true);
  marks.note(session, markAt(4), true);
  await waitUntil(async () => (await stored(session.token))?.seq === 4, "the next record is marked");
});

test("what a server that was killed did not get is stored when it is back", async () => {
  await using marks = open();
  const session = sessionOf("killed");
  marks.note(session, markAt(3), true);
  await waitUntil(async () => (await stored(session.token))?.seq === 3, "it is stored");
  await server.kill9();
  marks.note(session, markAt(4), true);
  await server.restart();
  await waitUntil(() => connection.isUp(), "it is connected");
  assert.equal((await marks.read(session.token))?.seq, 4);
  await waitUntil(async () => (await stored(session.token))?.seq === 4, "it is stored after all");
});

test("marks that wait are stored when the node ends", async () => {
  const session = sessionOf("ending");
  const marks = open();
  marks.note(session, markAt(3), false);
  await marks[Symbol.asyncDispose]();
  assert.equal((await stored(session.token))?.seq, 3);
});
