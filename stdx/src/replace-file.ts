// Write beside, then rename: a reader sees the content before or the new one, never half of one, and a
// failure leaves what was there. For its owner only: some of these files hold credentials, and the folder may
// be everybody's, as `/tmp` is.
import { readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { requireFile } from "./own-file.ts";

/** What a file is to outlive. */
export interface ReplaceOptions {
  /**
   * Also a crash of the machine, at the price of one sync: the file then has the content before or this one.
   * Without it the file may be empty after such a crash, and whoever reads it makes do without.
   */
  readonly isSynced?: boolean;
}

const mode = 0o600;
/** As they are named below: of a process that was killed in between. */
const left = /\.\d+\.part$/;
let parts = 0;

/** @throws the error of the file system, or that something else than a file is there */
export function replaceFile(
  path: string,
  content: string | Uint8Array,
  { isSynced = false }: ReplaceOptions = {},
): void {
  requireFile(path);
  // two processes may replace one file: each writes one of its own, and the last rename wins
  const fresh = `${path}.${process.pid}.part`;
  try {
    // of a process that was killed and had this id, or a link that somebody put there: never written through
    rmSync(fresh, { force: true });
    writeFileSync(fresh, content, { mode, flag: "wx", flush: isSynced });
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}

/**
 * For a thread that has others to serve meanwhile. Of two at once the last rename wins. @throws as
 * `replaceFile` does
 */
export async function replaceFileAside(path: string, content: string | Uint8Array): Promise<void> {
  requireFile(path);
  parts += 1;
  const fresh = `${path}.${process.pid}.${parts}.part`;
  try {
    await rm(fresh, { force: true });
    await writeFile(fresh, content, { mode, flag: "wx" });
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

/** What processes that were killed left of what they wrote. Nobody else may write in the folder meanwhile. */
export function sweepParts(folder: string): void {
  for (const name of readdirSync(folder)) if (left.test(name)) rmSync(join(folder, name), { force: true });
}
