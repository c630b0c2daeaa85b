// Messages between sessions that were given up: they lie in the log until somebody decides.
import { create } from "@bufbuild/protobuf";
import type { JetStreamManager, StoredMsg } from "@nats-io/jetstream";
import { type DeadLetter, DeadLetterSchema } from "@voda/proto/api";
import { decodeDeadLetter, type StoredDeadLetter } from "@voda/proto/dead-letter";
import { hash16 } from "@voda/proto/hash16";
import { type Redelivery, RedeliverySchema } from "@voda/proto/node";
import type { SessionName } from "@voda/proto/session";
import { deadSubjects, logStream } from "@voda/proto/wire";
import { ControlError } from "../errors.ts";
import { recordsFrom } from "./lanes.ts";

const pageSizeDefault = 100;
const pageSizeMax = 1_000;
/** A page ends with the letter that takes it there. */
const pageBytesMax = 1024 * 1024;
const deadLetters = { stream: logStream(0), filter: deadSubjects };
/** All subjects of dead letters begin so. */
const prefix = deadSubjects.replace(/>$/, "");

/** @throws ControlError `bad_request` */
export async function listDeadLetters(
  jsm: JetStreamManager,
  { pageSize, pageToken }: { readonly pageSize: number; readonly pageToken: string },
): Promise<{ letters: DeadLetter[]; nextPageToken: string }> {
  if (!/^\d{0,15}$/.test(pageToken))
    throw ControlError.of("bad_request", "page_token is not one that ListDeadLetters gave out");
  const size = pageSize === 0 ? pageSizeDefault : Math.min(pageSize, pageSizeMax);
  const letters: DeadLetter[] = [];
  let bytes = 0;
  for await (const message of recordsFrom(jsm, deadLetters, Math.max(1, Number(pageToken)))) {
    if (letters.length === size || bytes >= pageBytesMax)
      return { letters, nextPageToken: String(message.seq) };
    bytes += message.data.length;
    const stored = decodeDeadLetter(message.data);
    if (stored !== undefined) letters.push(describe(message.seq, stored));
  }
  return { letters, nextPageToken: "" };
}

/**
 * Under an id that follows from the letter alone: its target takes it once. It stays when it is not taken.
 * @throws ControlError what its handler, or the way to it, answered
 */
export async function deliverAgain(
  jsm: JetStreamManager,
  id: bigint,
  order: (name: SessionName, redelivery: Redelivery) => Promise<unknown>,
): Promise<DeadLetter> {
  const { message, stored } = await find(jsm, id);
  const { from, agent, key, method, body } = stored;
  const source = hash16(message.subject);
  const sender = `${from.agent}/${from.key}`;
  const redelivery = create(RedeliverySchema, { method, body, source, sender });
  await order({ namespace: from.namespace, agent, key }, redelivery);
  await remove(jsm, message);
  return describe(message.seq, stored);
}

/** @throws ControlError when there is none */
export async function dropDeadLetter(jsm: JetStreamManager, id: bigint): Promise<DeadLetter> {
  const { message, stored } = await find(jsm, id);
  await remove(jsm, message);
  return describe(message.seq, stored);
}

async function find(
  jsm: JetStreamManager,
  id: bigint,
): Promise<{ message: StoredMsg; stored: StoredDeadLetter }> {
  const isSequence = id > 0n && id <= BigInt(Number.MAX_SAFE_INTEGER);
  const message = isSequence ? await jsm.direct.getMessage(logStream(0), { seq: Number(id) }) : null;
  const stored = message?.subject.startsWith(prefix) === true ? decodeDeadLetter(message.data) : undefined;
  if (message === null || stored === undefined)
    throw ControlError.of(
      "dead_letter_not_found",
      `there is no dead letter ${id}: it was retried or dropped, or never was`,
    );
  return { message, stored };
}

/** Its subject has this one message. */
async function remove(jsm: JetStreamManager, { subject }: StoredMsg): Promise<void> {
  await jsm.streams.purge(logStream(0), { filter: subject });
}

function describe(id: number, letter: StoredDeadLetter): DeadLetter {
  const { from, agent, key, method, body, code, reason, message, attempts, sentAtMs } = letter;
  return create(DeadLetterSchema, {
    id: BigInt(id),
    sender: from,
    target: { namespace: from.namespace, agent, key },
    method,
    input: new TextDecoder().decode(body),
    code,
    reason,
    message,
    attempts,
    sentAtMs: BigInt(sentAtMs),
  });
}
