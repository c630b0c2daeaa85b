// A lock on a file that the kernel holds for this process: it ends with the process, however that ends, and
// it is one lock for everybody who reaches the file, also from other containers. Node.js has no file locks,
// but SQLite's are the kernel's (fcntl): an exclusive transaction on a database that is never written is a
// lock, and leaves an empty file.
import { closeSync, existsSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/** A reader that only looks (`isLocked`) holds the file for microseconds: whoever wants it waits that out. */
const waitMs = 100;
const sqliteBusy = 5;

/**
 * Holds `file`, which it makes when it is missing, until the end; `undefined` when another process has it.
 */
export function tryLock(file: string): Disposable | undefined {
  closeSync(openSync(file, "a", 0o600)); // whoever may open the file may lock it: nobody else
  const database = new DatabaseSync(file, { timeout: waitMs });
  if (succeeds(database, "BEGIN EXCLUSIVE")) return database;
  database.close();
  return undefined;
}

/** Whether a living process holds `file`. */
export function isLocked(file: string): boolean {
  if (!existsSync(file)) return false;
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return !succeeds(database, "SELECT count(*) FROM sqlite_schema");
  } finally {
    database.close();
  }
}

/** False when the lock is another's. @throws for all else */
function succeeds(database: DatabaseSync, statement: string): boolean {
  try {
    database.exec(statement);
    return true;
  } catch (error) {
    if (error instanceof Error && "errcode" in error && error.errcode === sqliteBusy) return false;
    throw error;
  }
}
