// One supervisor per data directory. Who holds it is the kernel's knowledge (`@voda/stdx/lock`), so a crash,
// a full disk or another container cannot make it wrong; a note beside it only lets the refusal name the
// process.
import { rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { isLocked, tryLock } from "@voda/stdx/lock";
import * as v from "valibot";
import { CliError } from "../failure.ts";
import { readJsonFile } from "./json-file.ts";
import { replaceFile } from "./replace-file.ts";

const lockFile = (dataDir: string): string => join(dataDir, "lock");
const noteFile = (dataDir: string): string => join(dataDir, "supervisor.json");

const Note = v.object({ pid: v.number(), host: v.string() });

/** Takes the data directory for this process. @throws when a living one has it */
export function lock(dataDir: string): Disposable {
  const held = tryLock(lockFile(dataDir));
  if (held === undefined)
    throw new CliError(
      `data directory ${dataDir} is in use by ${holderOf(dataDir)}; stop it, or choose another directory with --data-dir`,
    );
  replaceFile(noteFile(dataDir), JSON.stringify({ pid: process.pid, host: hostname() }));
  return {
    [Symbol.dispose]: () => {
      rmSync(noteFile(dataDir), { force: true });
      held[Symbol.dispose]();
    },
  };
}

/** Who has the data directory, in words; `undefined` when nobody does. */
export function lockHolder(dataDir: string): string | undefined {
  return isLocked(lockFile(dataDir)) ? holderOf(dataDir) : undefined;
}

function holderOf(dataDir: string): string {
  const note = readJsonFile(noteFile(dataDir), Note);
  if (note === undefined) return "another process";
  return note.host === hostname() ? `process ${note.pid}` : `process ${note.pid} of host ${note.host}`;
}
