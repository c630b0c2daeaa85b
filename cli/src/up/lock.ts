// One supervisor per data directory. Who holds it is the kernel's knowledge (`@voda/stdx/lock`), so a crash,
// a full disk or another container cannot make it wrong; a note beside it only lets the refusal name the
// process.

import { hostname } from "node:os";
import { join } from "node:path";
import { isLocked, tryLock } from "@voda/stdx/lock";
import { removeFile } from "@voda/stdx/own-file";
import * as v from "valibot";
import { CliError } from "../failure.ts";
import { firstOf, writeFirst } from "./first-write.ts";
import { readJsonFile } from "./json-file.ts";

const lockFile = (dataDir: string): string => join(dataDir, "lock");
const noteFile = (dataDir: string): string => join(dataDir, "supervisor.json");

const Note = v.object({ pid: v.number(), host: v.string(), ingress: v.optional(v.string()) });

/** Who has a data directory. */
export interface Holder {
  /** In words: `process 12`. */
  readonly who: string;
  /** URL of its mesh, once it has one. */
  readonly ingress: string | undefined;
}

/** The data directory is ours until it is disposed, or until the process ends, however it does. */
export interface Lock extends Disposable {
  /** Notes where the mesh is, for commands that are started in the same place. */
  serves(ingress: string): void;
}

/** Takes the data directory for this process. @throws when a living one has it */
export function lock(dataDir: string): Lock {
  const file = lockFile(dataDir);
  const held = firstOf(file, () => tryLock(file));
  if (held === undefined)
    throw new CliError(
      `data directory ${dataDir} is in use by ${holderOf(dataDir).who}; stop it, or choose another with --data-dir`,
    );
  const note = (more: object): void =>
    writeFirst(noteFile(dataDir), JSON.stringify({ pid: process.pid, host: hostname(), ...more }));
  note({});
  return {
    serves: (ingress) => note({ ingress }),
    [Symbol.dispose]: () => {
      removeFile(noteFile(dataDir));
      held[Symbol.dispose]();
    },
  };
}

/** `undefined` when nobody has the data directory. */
export function lockHolder(dataDir: string): Holder | undefined {
  return isLocked(lockFile(dataDir)) ? holderOf(dataDir) : undefined;
}

function holderOf(dataDir: string): Holder {
  const note = readJsonFile(noteFile(dataDir), Note);
  if (note === undefined) return { who: "another process", ingress: undefined };
  const host = note.host === hostname() ? "" : ` of host ${note.host}`;
  return { who: `process ${note.pid}${host}`, ingress: note.ingress };
}
