// One supervisor per data directory.
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import * as v from "valibot";
import { CliError } from "../failure.ts";
import { commandOf } from "./processes.ts";

const Holder = v.object({ pid: v.number(), command: v.string() });
export type Holder = v.InferOutput<typeof Holder>;

/** Who holds the lock; `undefined` when nobody does or the holder is dead. */
export function lockHolder(path: string): Holder | undefined {
  const text = readLock(path);
  return text === undefined ? undefined : livingHolder(text);
}

/** Takes the lock or takes it over from a dead process. @throws when a living one holds it */
export function lock(path: string): Disposable {
  const own = `${path}.${process.pid}`;
  const mine = JSON.stringify({ pid: process.pid, command: commandOf(process.pid) ?? "" });
  writeFileSync(own, mine);
  try {
    while (!linked(own, path)) {
      const text = readLock(path);
      if (text === undefined) continue;
      const holder = livingHolder(text);
      if (holder !== undefined)
        throw new CliError(
          `this data directory is in use by process ${holder.pid} (${path}); stop it, or choose another directory with --data-dir`,
        );
      removeStale(path, text);
    }
  } finally {
    rmSync(own, { force: true });
  }
  return {
    [Symbol.dispose]: () => {
      if (readLock(path) === mine) rmSync(path);
    },
  };
}

function linked(own: string, path: string): boolean {
  try {
    linkSync(own, path); // fails where the file exists, and shows it whole
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Another starter may have replaced the stale lock since it was read: what was moved away is checked and put back. */
function removeStale(path: string, stale: string): void {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  if (readLock(aside) !== stale) linked(aside, path);
  rmSync(aside);
}

function readLock(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function livingHolder(text: string): Holder | undefined {
  const holder = v.parse(Holder, JSON.parse(text));
  return commandOf(holder.pid) === holder.command ? holder : undefined;
}
