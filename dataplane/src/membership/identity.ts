// The node's data directory: one process at a time, and the incarnation that the last one had.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { wordsOf } from "@voda/stdx";
import { tryLock } from "@voda/stdx/lock";
import { makeFolder } from "@voda/stdx/make-folder";
import { replaceFile, sweepParts } from "@voda/stdx/replace-file";

/** The data directory took no incarnation: it is full, or cannot be written to. */
export class NoteError extends Error {
  override readonly name = "NoteError";
}

/** Holds the lock of the directory until it is disposed of. */
export interface Identity extends Disposable {
  /** Incarnation that was noted last in this directory, by this process or one before it. */
  previous(): string | undefined;
  /** Notes an incarnation, before its lease exists: the next process ends it. @throws NoteError */
  note(incarnation: string): void;
}

/** @throws when another process has the directory */
export function openIdentity(dir: string): Identity {
  makeFolder(dir, 0o700);
  const lock = tryLock(join(dir, "lock"));
  if (lock === undefined)
    throw new Error(`data directory ${dir} belongs to a running node; give each node its own`);
  sweepParts(dir);
  const file = join(dir, "incarnation");
  return {
    previous() {
      const noted = read(file);
      return /^[0-9a-f]{32}$/.test(noted) ? noted : undefined;
    },
    note(incarnation) {
      try {
        replaceFile(file, incarnation, { isSynced: true });
      } catch (cause) {
        throw new NoteError(`${file} cannot be written: ${wordsOf(cause)}`, { cause });
      }
    },
    [Symbol.dispose]: () => lock[Symbol.dispose](),
  };
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}
