// What the store may still take. nats-server refuses leases like everything else once it is full, and
// without a lease even reads of sessions in memory wait. So nodes stop a little before it: what is left is
// for leases and marks.

import { readFileSync } from "node:fs";
import { storeIsFull } from "@voda/proto/wire";
import type { AppendDone, AppendRequest, Appends, Commit } from "../commit/index.ts";
import { type Requests, StoreError } from "../nats/index.ts";

export interface StoreRoom extends Disposable {
  /**
   * The same appends, but that those fail at once, as at a server that is full, for which there is no
   * room.
   */
  guard(commit: Commit): Appends;
}

export interface StoreRoomOptions {
  readonly requests: Requests;
  /** File with the number of bytes that the server may store: it may change with each start of the server. */
  readonly limitFile: string | undefined;
  readonly onFull: (words: string) => void;
}

/**
 * How often the server is asked: what this node adds meanwhile it counts itself, what others add is in
 * the reserve.
 */
const askEveryMs = 1_000;
/**
 * Kept of the limit: leases and marks of hours, and what other nodes write in a second; but never more
 * than a tenth.
 */
export const reserveBytesMax = 64 * 1024 * 1024;
const reserveShare = 0.1;
/** What a message takes beside its payload: headers and subject. */
const messageBytes = 300;

interface Usage {
  readonly bytes: number;
  readonly bytesMax: number;
}

/** Without a limit, of the file or of the account, nothing is guarded. */
export function openStoreRoom({ requests, limitFile, onFull }: StoreRoomOptions): StoreRoom {
  let usage: Usage | undefined;
  /**
   * Of this node, ever; and what of it the usage has for certain: what was sent before the look before the
   * last.
   */
  let sent = 0;
  let counted = 0;
  let sentAtLook = 0;
  let wasFull = false;

  const fullWords = (): string | undefined => {
    if (usage === undefined) return undefined;
    const { bytes, bytesMax } = usage;
    const reserve = Math.min(reserveBytesMax, Math.floor(bytesMax * reserveShare));
    const held = bytes + sent - counted;
    if (held < bytesMax - reserve) return undefined;
    return (
      `it holds ${held} of ${bytesMax} bytes, and the last ${reserve} are kept for leases; ` +
      "end sessions, or give nats-server more room"
    );
  };

  async function look(): Promise<void> {
    const sentNow = sent;
    try {
      usage = await usageOf(requests, limitFile);
      counted = sentAtLook;
      sentAtLook = sentNow;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error; // the store is away: what was known stays
    }
    const words = fullWords();
    if (words !== undefined && !wasFull) onFull(words);
    wasFull = words !== undefined;
  }

  const looking = setInterval(() => void look(), askEveryMs);
  void look();
  return {
    guard: (commit) =>
      guarded(commit, fullWords, (bytes) => {
        sent += bytes;
      }),
    [Symbol.dispose]: () => clearInterval(looking),
  };
}

/** @throws StoreError */
async function usageOf(requests: Requests, limitFile: string | undefined): Promise<Usage | undefined> {
  const answer = (await requests.ask("$JS.API.INFO", "")).json<{
    storage?: number;
    limits?: { max_storage?: number };
  }>();
  const bytesMax = limitFile === undefined ? answer.limits?.max_storage : limitOf(limitFile);
  if (bytesMax === undefined || !(bytesMax > 0) || answer.storage === undefined) return undefined;
  return { bytes: answer.storage, bytesMax };
}

/** A file that is not there, or is being replaced, tells no limit. */
function limitOf(file: string): number | undefined {
  try {
    return Number(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/** A tombstone makes room. */
function guarded(
  commit: Commit,
  fullWords: () => string | undefined,
  added: (bytes: number) => void,
): Appends {
  return {
    append(append: AppendRequest, done: AppendDone) {
      const words = append.rollup === true ? undefined : fullWords();
      if (words !== undefined) {
        setImmediate(done, { type: "error", code: storeIsFull, description: words });
        return;
      }
      added(append.payload.length + messageBytes);
      commit.append(append, done);
    },
  };
}
