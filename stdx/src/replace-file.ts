// Write beside, then rename: the one way in which a file of ours gets new content.
import { renameSync, rmSync, writeFileSync } from "node:fs";

/** What a file is to outlive. */
export interface ReplaceOptions {
  /**
   * Also a crash of the machine, at the price of one sync: the file then has the content before or this one.
   * Without it the file may be empty after such a crash, and whoever reads it makes do without.
   */
  readonly isSynced?: boolean;
}

/**
 * A reader sees the content before or this one, never half of one, and a failure leaves what was there. For
 * its owner only: some of these files hold credentials, and the folder may be everybody's, as `/tmp` is.
 * @throws the error of the file system
 */
export function replaceFile(
  path: string,
  content: string | Uint8Array,
  { isSynced = false }: ReplaceOptions = {},
): void {
  // two processes may replace one file: each writes one of its own, and the last rename wins
  const fresh = `${path}.${process.pid}.part`;
  try {
    // of a process that was killed and had this id, or a link that somebody put there: never written through
    rmSync(fresh, { force: true });
    writeFileSync(fresh, content, { mode: 0o600, flag: "wx", flush: isSynced });
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}
