// Pages of snapshots: immutable messages of the snapshot stream, each on a subject of its own that is never
// used again.
import { hash16 } from "@voda/proto/hash16";
import type { SessionToken } from "@voda/proto/session";
import {
  type NamedPage,
  type PageName,
  type PageReference,
  pageBytesMax,
  pageSubject,
  snapshotStream,
} from "@voda/proto/wire";
import { assert, bytesEqual } from "@voda/stdx";
import type { AppendOutcome, Appends } from "../commit/index.ts";
import { directLast, type Requests, StoreError } from "../nats/index.ts";

/** Reads and purges in flight for one session: a wake must not fill the connection. */
const parallelMax = 32;
/** Sends of one page until the write fails. */
const attemptsMax = 5;

/**
 * All of them or StoreError; on an error some may be there, under names that nobody uses again. Writing the
 * same bytes under the same name twice is one write.
 */
export async function writePages(
  requests: Requests,
  commit: Appends,
  token: SessionToken,
  pages: readonly NamedPage[],
): Promise<void> {
  for (const page of pages) {
    assert(
      page.bytes.length <= pageBytesMax,
      `page of ${page.bytes.length} bytes exceeds pageBytesMax ${pageBytesMax}`,
    );
  }
  await Promise.all(pages.map((page) => writePage(requests, commit, token, page)));
}

// A page that is refused is there: an earlier attempt, whose answer was lost, has written it.
async function writePage(
  requests: Requests,
  commit: Appends,
  token: SessionToken,
  page: NamedPage,
): Promise<void> {
  const subject = pageSubject(token, page.name);
  let last: AppendOutcome["type"] = "unanswered";
  for (let attempt = 0; attempt < attemptsMax && requests.connection.isUp(); attempt += 1) {
    const outcome = await new Promise<AppendOutcome>((resolve) => {
      commit.append({ subject, fence: subject, expect: 0, payload: page.bytes }, resolve);
    });
    if (outcome.type === "acked") return;
    // the server's word: another attempt would hear the same
    if (outcome.type === "error")
      throw new StoreError(`page ${subject} was not written: ${outcome.description}`);
    // one that is refused and not there is under way: the next attempt sees it
    if (outcome.type === "refused") {
      const there = await directLast(requests, snapshotStream(0), subject);
      if (there !== undefined && bytesEqual(there.bytes, page.bytes)) return;
      if (there !== undefined) throw new StoreError(`page ${subject} exists with other bytes`);
    }
    last = outcome.type;
  }
  throw new StoreError(`page ${subject} was not written: ${last}`);
}

/**
 * From any replica: a page never changes, so one that is there is the right one; its hash says whether the
 * disk kept it. @throws StoreError
 */
export async function readPages(
  requests: Requests,
  token: SessionToken,
  names: readonly PageReference[],
): Promise<(Uint8Array | undefined)[]> {
  const pages: (Uint8Array | undefined)[] = [];
  await eachOf(names, async (page, i) => {
    const bytes = (await directLast(requests, snapshotStream(0), pageSubject(token, page)))?.bytes;
    const isWhole = bytes !== undefined && bytesEqual(hash16(bytes), page.hash);
    pages[i] = isWhole ? bytes : undefined;
  });
  return pages;
}

/** `purge` removes all messages of one subject. A page that is not there is no error. @throws StoreError */
export function deletePages(
  token: SessionToken,
  names: readonly PageName[],
  purge: (subject: string) => Promise<void>,
): Promise<void> {
  return eachOf(names, (name) => purge(pageSubject(token, name)));
}

/** In groups of `parallelMax`, in order; the first failure ends it after its group. */
async function eachOf<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  for (let at = 0; at < items.length; at += parallelMax) {
    await Promise.all(items.slice(at, at + parallelMax).map((item, i) => work(item, at + i)));
  }
}
