// What the store may still take. nats-server refuses leases like everything else once it is full, and
// without a lease even reads of sessions in memory wait. So nodes stop a little before it: what is left is
// for leases and marks.

import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { storeIsFull } from "@voda/proto/wire";
import type { AppendDone, AppendRequest, Appends, Commit } from "../commit/index.ts";
import { type Requests, StoreError } from "../nats/index.ts";

export interface StoreRoom extends AsyncDisposable {
  /**
   * The same appends, but that those fail at once, as at a server that is full, for which there is no
   * room.
   */
  guard(commit: Commit): Appends;
}

export interface StoreRoomOptions {
  readonly requests: Pick<Requests, "ask">;
  /**
   * File with the number of bytes that the server may store: it may change with each start of the server. It
   * lies on the disk of the store.
   */
  readonly limitFile: string | undefined;
  /** Of the disk of a folder. */
  readonly freeBytes: (folder: string) => Promise<number>;
  readonly onFull: (words: string) => void;
  /** The room cannot be told; what was known stays. Said once, until it is told again. */
  readonly onFailed: (error: unknown) => void;
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
  readonly limit: number;
  /** Of the disk: others fill it too, so that it may have less room than the limit says. */
  readonly free: number;
}

type Room = Pick<Usage, "free"> & { readonly limit: number | undefined };

/** Without a limit, of the file or of the account, nothing is guarded. */
export function openStoreRoom(options: StoreRoomOptions): StoreRoom {
  const { requests, onFull, onFailed } = options;
  let usage: Usage | undefined;
  /**
   * Of this node, ever; and what of it the usage has for certain: what was sent before the look before the
   * last.
   */
  let sent = 0;
  let counted = 0;
  let sentBefore = 0;
  let wasFull = false;
  let hasFailed = false;

  const fullWords = (): string | undefined => {
    if (usage === undefined) return undefined;
    const { bytes, limit, free } = usage;
    const isOfDisk = bytes + free < limit;
    const bytesMax = isOfDisk ? bytes + free : limit;
    const reserve = Math.min(reserveBytesMax, Math.floor(limit * reserveShare));
    const held = bytes + sent - counted;
    if (held < bytesMax - reserve) return undefined;
    const [what, next] = isOfDisk
      ? ["bytes that its disk has room for", "free space on the disk of nats-server's store"]
      : ["bytes", "end sessions, or give nats-server more room"];
    return `it holds ${held} of ${bytesMax} ${what}, and the last ${reserve} are kept for leases; ${next}`;
  };

  async function measure(): Promise<void> {
    const sentNow = sent;
    try {
      usage = await usageOf(requests, () => roomOf(options));
      counted = sentBefore;
      sentBefore = sentNow;
      hasFailed = false;
    } catch (error) {
      // a store that is away is everybody's news
      if (!(error instanceof StoreError || hasFailed)) onFailed(error);
      hasFailed ||= !(error instanceof StoreError);
    }
    const words = fullWords();
    if (words !== undefined && !wasFull) onFull(words);
    wasFull = words !== undefined;
  }

  // one at a time: the answer of a later one may come first
  let measuring: Promise<void> | undefined;
  const work = (): void => {
    measuring ??= measure().finally(() => {
      measuring = undefined;
    });
  };
  const ticking = setInterval(work, askEveryMs);
  work();
  return {
    guard: (commit) =>
      guarded(commit, fullWords, (bytes) => {
        sent += bytes;
      }),
    async [Symbol.asyncDispose]() {
      clearInterval(ticking);
      await measuring;
    },
  };
}

/** @throws StoreError, and what the disk says */
async function usageOf(
  requests: Pick<Requests, "ask">,
  roomHere: () => Promise<Room>,
): Promise<Usage | undefined> {
  const { storage, limits } = (await requests.ask("$JS.API.INFO", "")).json<{
    storage?: number;
    limits?: { max_storage?: number };
  }>();
  const { limit = limits?.max_storage, free } = await roomHere();
  if (limit === undefined || !(limit > 0) || storage === undefined) return undefined;
  return { bytes: storage, limit, free };
}

/** A store that is elsewhere tells nothing. */
async function roomOf({ limitFile, freeBytes }: StoreRoomOptions): Promise<Room> {
  const unknown: Room = { limit: undefined, free: Number.POSITIVE_INFINITY };
  if (limitFile === undefined) return unknown;
  try {
    return {
      limit: Number(await readFile(limitFile, "utf8")),
      free: await freeBytes(dirname(limitFile)),
    };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return unknown;
    throw error;
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
