// The data directory and what lies in it: states of sessions, logs, a login. For its owner only.
import { accessSync, chmodSync, constants, readdirSync, statSync } from "node:fs";
import { wordsOf } from "@voda/stdx";
import { makeFolder } from "@voda/stdx/make-folder";
import { CliError } from "../failure.ts";

const ownerOnly = 0o700;
/** Files that say that the directory is voda's; the last is of versions that locked by a process id. */
const ofVoda: ReadonlySet<string> = new Set(["lock", "nats.conf", "up.lock"]);

/**
 * Makes the directory, or closes one that an earlier version left open. @throws CliError when that cannot be,
 * or it is open and not voda's alone
 */
export function openDataFolder(path: string): void {
  try {
    makeFolder(path, ownerOnly);
    close(path);
    accessSync(path, constants.W_OK);
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(
      `--data-dir ${path} cannot be used: ${wordsOf(error)}; name a folder that this user can make, or write to`,
      undefined,
      { cause: error },
    );
  }
}

function close(path: string): void {
  const mode = statSync(path).mode & 0o777;
  if (mode === ownerOnly) return;
  const names = readdirSync(path);
  if (names.length > 0 && !names.some((name) => ofVoda.has(name)))
    throw new CliError(
      `--data-dir ${path} is open to others (mode ${mode.toString(8)}) and holds what is not voda's; name an empty one, or \`chmod 700\` it`,
    );
  chmodSync(path, ownerOnly);
}
