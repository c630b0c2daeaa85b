// The node's data directory: one process at a time, and the incarnation that the last one had.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

export interface Identity extends Disposable {
  /** Incarnation that was noted last in this directory, by this process or one before it. */
  previous(): string | undefined;
  /** Notes an incarnation, before its lease exists: the next process ends it. */
  note(incarnation: string): void;
  close(): void;
}

/** @throws when another process has the directory */
export function openIdentity(dir: string): Identity {
  mkdirSync(dir, { recursive: true });
  const lock = acquire(dir);
  const file = join(dir, "incarnation");
  const close = (): void => {
    if (lock.isOpen) lock.close();
  };
  return {
    previous() {
      const noted = read(file);
      return /^[0-9a-f]{32}$/.test(noted) ? noted : undefined;
    },
    note(incarnation) {
      writeFileSync(`${file}.new`, incarnation, { flush: true });
      renameSync(`${file}.new`, file);
    },
    close,
    [Symbol.dispose]: close,
  };
}

// Node.js has no file locks of its own, but SQLite's exclusive transaction is one: the kernel frees it when the process dies.
function acquire(dir: string): DatabaseSync {
  const lock = new DatabaseSync(join(dir, "lock"));
  try {
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (cause) {
    lock.close();
    throw new Error(`data directory ${dir} belongs to a running node; give each node its own`, { cause });
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}
