// Logs of sessions that sleep: what lies before their last fold goes when the store cannot lose that fold
// any more. What waits for that lies in the store itself, so that it is done by whoever is alive then.
import { hash16 } from "@voda/proto/hash16";
import { type SessionToken, shardOf } from "@voda/proto/session";
import { marksStream, trimSubject, trimSubjects } from "@voda/proto/wire";
import { bytesEqual } from "@voda/stdx";
import { command, directBatch, type Requests, type StoredMessage, StoreError } from "../nats/index.ts";
import type { Store } from "./store.ts";

/** A trim of one session's log that waits until the store cannot lose the fold before it. */
export interface LogTrim {
  readonly token: SessionToken;
  /** Of the fold that the session sleeps with. */
  readonly hash: Uint8Array;
  /** What is before this sequence goes. */
  readonly below: number;
  readonly inMs: number;
}

export interface AsleepTrims extends AsyncDisposable {
  /**
   * Stored, not awaited. One that does not get there is not trimmed until its session has woken: that
   * costs space only.
   */
  add(trim: LogTrim): void;
}

export interface AsleepTrimsOptions {
  readonly requests: Requests;
  readonly store: Pick<Store, "lastFromLeader" | "trim">;
  /** Milliseconds since 1970 by the store's clock. */
  readonly storeMs: () => number;
  /**
   * Which of the living nodes this one is, and how many they are: each does its part. `undefined`: it
   * does not count as living.
   */
  readonly rank: () => { readonly index: number; readonly count: number } | undefined;
  readonly failed: (error: unknown, token: string) => void;
}

/** Between two looks at what waits. */
export const roundMs = 2_000;
/** Few are due at a time, and those read beyond them are read in vain: 64 take 2 ms of this thread. */
const batchSize = 64;
/** In one round: the store has better things to do. */
const perRoundMax = 2_048;
/** At once. */
const parallel = 8;

export function openAsleepTrims(options: AsleepTrimsOptions): AsleepTrims {
  const { requests, failed } = options;
  let round: Promise<void> | undefined;
  let restUntilMs = 0;
  const work = (): void => {
    if (options.storeMs() < restUntilMs) return;
    round ??= trimDue(options)
      .then((untilMs) => {
        restUntilMs = untilMs;
      })
      .catch((error: unknown) => failed(error, ""))
      .finally(() => {
        round = undefined;
      });
  };
  const ticking = setInterval(work, roundMs);
  return {
    add({ token, hash, below, inMs }) {
      const body = `${below} ${inMs} ${hash.toHex()}`;
      command(requests, trimSubject(token), body).catch((error: unknown) => failed(error, token));
    },
    async [Symbol.asyncDispose]() {
      clearInterval(ticking);
      await round;
    },
  };
}

/** A trim whose session sleeps, as it was left beside the marks. */
interface AsleepTrim extends LogTrim {
  readonly entry: StoredMessage;
}

/**
 * They lie in the order in which they are due: all of a mesh wait for the same time. Returns until when
 * nothing is due, by the store's clock: what waits for minutes is not read each round.
 */
async function trimDue(options: AsleepTrimsOptions): Promise<number> {
  const { requests, storeMs, rank } = options;
  const nowMs = storeMs();
  const place = rank();
  if (place === undefined || !requests.connection.isUp()) return 0;
  let from = 1;
  for (let count = 0; count < perRoundMax; ) {
    const { messages, more } = await directBatch(requests, {
      stream: marksStream(0),
      filter: trimSubjects,
      seq: from,
      count: batchSize,
    });
    const waiting = messages.map(dueOf);
    const due = waiting.filter((one) => dueMs(one) <= nowMs);
    // what is due and another's to do stays in sight: that node may have gone
    const [first] = waiting;
    if (from === 1 && first !== undefined && due.length === 0) return dueMs(first);
    const mine = due.filter(({ token }) => shardOf(token) % place.count === place.index);
    for (let at = 0; at < mine.length; at += parallel)
      await Promise.all(mine.slice(at, at + parallel).map((one) => trim(options, one)));
    if (!more || due.length < waiting.length) break;
    count += mine.length;
    from = (messages.at(-1)?.seq ?? from) + 1;
  }
  return 0;
}

const dueMs = ({ entry, inMs }: AsleepTrim): number => entry.atMs + inMs;

/** A session that has woken since has another last record, and trims itself. */
async function trim({ requests, store, failed }: AsleepTrimsOptions, due: AsleepTrim): Promise<void> {
  const { token, hash, below, entry } = due;
  try {
    const last = await store.lastFromLeader(token);
    if (last !== undefined && bytesEqual(hash16(last.bytes), hash)) await store.trim(token, below);
    // one that came meanwhile stays
    const done = JSON.stringify({ filter: entry.subject, seq: entry.seq + 1 });
    await command(requests, `$JS.API.STREAM.PURGE.${marksStream(0)}`, done);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    failed(error, token); // the next round has it again
  }
}

function dueOf(entry: StoredMessage): AsleepTrim {
  const [below = "", inMs = "", hash = ""] = new TextDecoder().decode(entry.bytes).split(" ");
  const token = entry.subject.split(".")[2] as SessionToken;
  return { entry, token, below: Number(below), inMs: Number(inMs), hash: Uint8Array.fromHex(hash) };
}
