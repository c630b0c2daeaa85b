// What voda may remove or put another in place of: a regular file. `/dev/null`, a pipe or a link that
// somebody names is theirs.
import { lstatSync, rmSync } from "node:fs";

/** Folders are refused by the file system itself. @throws when something is there that is no regular file */
export function requireFile(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isFile() || found.isDirectory()) return;
  throw new Error(`${path} is no regular file and is left as it is`);
}

/** If it is there. @throws when it is no regular file */
export function removeFile(path: string): void {
  requireFile(path);
  rmSync(path, { force: true });
}
