// The data directory and what lies in it: states of sessions, logs, a login. For its owner only.
import { accessSync, chmodSync, constants, existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { wordsOf } from "@voda/stdx";
import { makeFolder } from "@voda/stdx/make-folder";
import { CliError } from "../failure.ts";
import { writeFirst } from "./first-write.ts";

const ownerOnly = 0o700;
/** Files that say that the directory is voda's; the last is of versions that locked by a process id. */
const ofVoda: ReadonlySet<string> = new Set(["lock", "nats.conf", "up.lock"]);

/**
 * Makes the directory, or closes one that an earlier version left open, and keeps it out of git.
 * @throws CliError when that cannot be, or it is open and not voda's alone
 */
export function openDataFolder(path: string): void {
  try {
    makeFolder(path, ownerOnly);
    close(path);
    accessSync(path, constants.W_OK);
    keepOutOfGit(path);
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
  if (!isVodas(path))
    throw new CliError(
      `--data-dir ${path} is open to others (mode ${mode.toString(8)}) and holds what is not voda's; name an empty one, or \`chmod 700\` it`,
    );
  chmodSync(path, ownerOnly);
}

/** `git add .` would publish the login, the states and the logs. One that is there is somebody's choice. */
function keepOutOfGit(path: string): void {
  const file = join(path, ".gitignore");
  if (!existsSync(file) && isVodas(path)) writeFirst(file, "*\n");
}

function isVodas(path: string): boolean {
  const names = readdirSync(path);
  return names.length === 0 || names.some((name) => ofVoda.has(name));
}
