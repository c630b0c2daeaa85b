// The data directory and what lies in it: states of sessions, logs, a login. For its owner only.
import { chmodSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { CliError } from "../failure.ts";

const ownerOnly = 0o700;
/** Files that say that the directory is voda's; the last is of versions that locked by a process id. */
const ofVoda: ReadonlySet<string> = new Set(["lock", "nats.conf", "up.lock"]);

/**
 * Makes the directory, or closes one that an earlier version left open. @throws when it is open and not
 * voda's alone
 */
export function openDataFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: ownerOnly });
  const mode = statSync(path).mode & 0o777;
  if (mode === ownerOnly) return;
  const names = readdirSync(path);
  if (names.length > 0 && !names.some((name) => ofVoda.has(name)))
    throw new CliError(
      `data directory ${path} is open to others (mode ${mode.toString(8)}) and holds what is not voda's; name an empty one with --data-dir, or \`chmod 700\` it`,
    );
  chmodSync(path, ownerOnly);
}
