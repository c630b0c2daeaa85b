// Which processes a data directory started: a file, so that the next start and `voda doctor` find what a dead
// supervisor left.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import * as v from "valibot";
import { readJsonFile } from "./json-file.ts";

/** A child as it is noted for a later start. */
export interface ProcessRecord {
  readonly name: string;
  readonly pid: number;
  /** As the operating system shows it: tells the process from a later one with the same id. */
  readonly command: string;
}

const Records = v.array(v.object({ name: v.string(), pid: v.number(), command: v.string() }));
const reapMsMax = 2000;

/** The command line of a running process; `undefined` when it is gone or a zombie. */
export function commandOf(pid: number): string | undefined {
  let text: string;
  if (process.platform === "linux") {
    try {
      text = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    } catch (error) {
      if (
        (error as NodeJS.ErrnoException).code === "ENOENT" ||
        (error as NodeJS.ErrnoException).code === "ESRCH"
      )
        return undefined;
      throw error;
    }
  } else {
    text = spawnSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" }).stdout;
  }
  return text.trim() === "" ? undefined : text.trim();
}

/** Recorded processes that still run. */
export function leftovers(path: string): readonly ProcessRecord[] {
  return readProcesses(path).filter((record) => commandOf(record.pid) === record.command);
}

/** Kills what a supervisor that died without its turn left behind, and waits until it is gone. */
export async function reap(path: string): Promise<readonly ProcessRecord[]> {
  const left = leftovers(path);
  for (const { pid } of left) process.kill(pid, "SIGKILL");
  const deadlineMs = performance.now() + reapMsMax;
  for (;;) {
    const alive = leftovers(path);
    if (alive.length === 0) return left;
    if (performance.now() > deadlineMs)
      throw new Error(
        `process ${alive[0]?.pid} (${alive[0]?.name}) of an earlier start does not die; end it and try again`,
      );
    await delay(10);
  }
}

/**
 * An unreadable list is none: guards kill the children of a dead supervisor, the list only serves where a
 * guard died too.
 */
function readProcesses(path: string): readonly ProcessRecord[] {
  return readJsonFile(path, Records) ?? [];
}
